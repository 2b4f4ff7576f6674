"""Log records become metrics, spans and log entries; and what the endpoints do with a trace while an answer goes on."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from shared.receipt import LOGGER_NAME, Receipt
from shared.telemetry.names import Semconv
from shared.telemetry.recorder import Recorder, Sources
from tests.harness.app import GOOD, InProcessApp, play
from tests.harness.upstream import refuses
from tests.telemetry.destinations import Kept
from tests.telemetry.samples import BACKENDS, receipt

CALLER = {"traceparent": f"00-{'a' * 32}-{'1' * 16}-01", "tracestate": "vendor=1"}
COLLECTOR = "http://127.0.0.1:4318"
PROMPT = "planted-prompt"


def sources(*, names_callers: bool = False) -> Sources:
    return Sources(
        semconv=Semconv.V1_41,
        backends=BACKENDS,
        names_callers=names_callers,
        open_streams=lambda: 2,
        ready=lambda: {"east": False, "west": True},
    )


def record(message: str = "{}", level: int = logging.INFO, **extra: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": LOGGER_NAME, "levelno": level, "levelname": logging.getLevelName(level)})
    made.msg = message
    made.__dict__ |= extra
    return made


def recorded(records: list[logging.LogRecord]) -> Kept:
    kept = Kept()
    recorder = Recorder([kept], sources(), lambda _record: {"more": 1})
    for one in records:
        recorder.handle(one)
    recorder.close()
    return kept


def test_a_receipt_becomes_metrics_spans_and_a_log_entry_of_the_same_trace() -> None:
    kept = recorded([record('{"event":"answer"}', receipt=receipt())])
    names = {series.instrument.name for series in kept.sent_metrics}
    assert {"streaming_endpoint.answers", "gen_ai.client.operation.duration", "gen_ai.client.token.usage"} <= names
    assert [span.name for span in kept.sent_spans] == ["answer", "chat gpt", "chat gpt"]
    (entry,) = kept.sent_logs
    assert (entry.trace_id, entry.span_id, entry.body) == (
        kept.sent_spans[0].trace_id,
        kept.sent_spans[0].span_id,
        '{"event":"answer"}',
    )
    assert entry.attributes == {}


def test_a_warning_is_a_log_entry_alone() -> None:
    kept = recorded([record("It failed.", logging.WARNING)])
    assert (kept.sent_spans, [(entry.severity, entry.attributes) for entry in kept.sent_logs]) == (
        [],
        [(13, {"more": 1})],
    )
    assert not any(series.instrument.name == "streaming_endpoint.answers" for series in kept.sent_metrics)


def test_what_has_a_value_at_every_moment_is_measured_when_it_is_sent() -> None:
    found = {series.instrument.name: series.points for series in recorded([]).sent_metrics}
    ready = {
        dict(key)["streaming_endpoint.backend"]: point.total for key, point in found["streaming_endpoint.backend.ready"]
    }
    assert ready == {"east": 0, "west": 1}
    assert found["streaming_endpoint.streams.open"][0][1].total == 2


def test_a_receipt_that_cannot_be_recorded_is_lost_alone() -> None:
    broken = receipt(attempts=None)
    kept = recorded([record(receipt=broken), record(receipt=receipt())])
    assert len(kept.sent_spans) == 3


@pytest.fixture
def seen() -> Iterator[Kept]:
    """What is recorded of the answers of this process, unless another test asks for it."""
    kept = Kept()
    recorder = Recorder([kept], sources(), lambda _record: {})
    logger = logging.getLogger(LOGGER_NAME)
    logger.addHandler(recorder)
    yield kept
    logger.removeHandler(recorder)
    recorder.close()


def test_each_call_of_an_answer_goes_up_below_a_span_of_its_own_in_the_callers_trace() -> None:
    logged: list[Receipt] = []

    class Handler(logging.Handler):
        def emit(self, one: logging.LogRecord) -> None:
            logged.append(one.receipt)  # type: ignore[attr-defined]

    handler = Handler()
    logging.getLogger(LOGGER_NAME).addHandler(handler)

    async def scene(app: InProcessApp) -> list[tuple[str, str]]:
        await app.begin("/chat", PROMPT, headers=CALLER).end()
        return [(one.call.headers["traceparent"], one.call.headers["tracestate"]) for one in app.clients.asked]

    try:
        up = play(scene, {"main": refuses(500), "second": GOOD}, OTEL_EXPORTER_OTLP_ENDPOINT=COLLECTOR)
    finally:
        logging.getLogger(LOGGER_NAME).removeHandler(handler)
    (one,) = logged
    assert one.trace is not None
    assert (one.trace_id, one.trace.parent_id) == ("a" * 32, "1" * 16)
    assert up == [(f"00-{'a' * 32}-{attempt.span_id}-01", "vendor=1") for attempt in one.attempts]
    assert len({one.trace.span_id, *(attempt.span_id for attempt in one.attempts)}) == 3


def test_without_telemetry_nothing_of_a_trace_goes_up() -> None:
    async def scene(app: InProcessApp) -> tuple[list[set[str]], dict[str, Any]]:
        received = await app.begin("/chat", PROMPT, headers=CALLER).end()
        return [set(one.call.headers) for one in app.clients.asked], received.receipts[0]

    (headers,), logged = play(scene)
    assert not headers & {"traceparent", "tracestate"}
    assert logged["trace_id"] == "a" * 32


def test_nothing_of_a_question_or_an_answer_is_recorded(seen: Kept) -> None:
    async def scene(app: InProcessApp) -> bytes:
        received = await app.begin("/chat", PROMPT, headers=CALLER).end()
        return received.body

    assert b"Hello" in play(scene, OTEL_EXPORTER_OTLP_ENDPOINT=COLLECTOR)
    for handler in logging.getLogger(LOGGER_NAME).handlers:
        if isinstance(handler, Recorder):
            handler.close()
    everything = json.dumps([str(one) for one in (*seen.sent_spans, *seen.sent_logs, *seen.sent_metrics)])
    assert "answer" in everything
    assert PROMPT not in everything
    assert "Hello" not in everything
