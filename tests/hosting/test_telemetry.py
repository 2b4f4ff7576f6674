"""Records on their way to the exporter, without an exporter: a queue that never waits, then a listener."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.hosting import telemetry
from shared.hosting.telemetry import MAXIMUM_WAITING, Telemetry
from shared.hosting.telemetry_target import Measured, TelemetryTarget
from shared.receipt import LOGGER_NAME
from tests.telemetry.receiver import Receiver
from tests.telemetry.samples import receipt

TARGET = TelemetryTarget(connection_string="InstrumentationKey=00000000-0000-0000-0000-000000000000")
_log = logging.getLogger("shared.planted")


class Kept(logging.Handler):
    """Keeps the messages that it is handed, once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.is_closed = False

    def emit(self, record: logging.LogRecord) -> None:
        self.may_go_on.wait(30)
        self.messages.append(record.getMessage())

    def close(self) -> None:
        self.is_closed = True
        super().close()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """What takes the exporter's place; the logger `shared` is left as it was."""
    handler = Kept()
    monkeypatch.setattr(telemetry, "_exporter", lambda _target: handler)
    monkeypatch.setattr(telemetry, "START_SECONDS", 0.0)
    logger = logging.getLogger("shared")
    before = logger.handlers[:]
    yield handler
    logger.handlers[:] = before


def test_records_of_before_and_after_the_exporter_is_there_arrive_once_and_in_order(kept: Kept) -> None:
    async def run() -> None:
        sending = Telemetry(TARGET)
        for number in range(100):
            _log.warning("%d", number)
            if number == 50:
                await sending.start()
        await sending.stop()

    asyncio.run(run())
    assert kept.messages == [str(number) for number in range(100)]
    assert kept.is_closed


def test_a_process_that_ends_before_the_exporter_was_there_sends_what_it_has(kept: Kept) -> None:
    async def run() -> None:
        sending = Telemetry(TARGET)
        _log.warning("the last")
        await sending.stop()

    asyncio.run(run())
    assert kept.messages == ["the last"]


def test_a_process_that_logged_nothing_opens_no_exporter_at_its_end(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[TelemetryTarget] = []
    monkeypatch.setattr(telemetry, "_exporter", opened.append)
    asyncio.run(Telemetry(TARGET).stop())
    assert opened == []


def test_a_full_queue_drops_and_says_how_many_and_logging_never_waits(
    kept: Kept, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    kept.may_go_on.clear()

    async def run() -> None:
        sending = Telemetry(TARGET)
        await sending.start()
        for number in range(MAXIMUM_WAITING + 500):
            _log.warning("%d", number)
        kept.may_go_on.set()
        await sending.stop()

    begun = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - begun < 20
    # One more than wait: the one that the sender's thread took out, at a moment of its own, which left its place to another.
    assert MAXIMUM_WAITING <= len(kept.messages) <= MAXIMUM_WAITING + 1
    numbers = [int(message) for message in kept.messages]
    assert numbers[:MAXIMUM_WAITING] == list(range(MAXIMUM_WAITING))
    assert numbers == sorted(set(numbers))
    told = [one.getMessage() for one in caplog.records if one.name == telemetry.__name__]
    dropped = MAXIMUM_WAITING + 500 - len(numbers)
    assert [one.partition(" came faster")[0] for one in told] == [f"{dropped} records"]
    assert capsys.readouterr().err == ""


def test_only_receipts_warnings_and_errors_go_and_nothing_about_telemetry_itself(kept: Kept) -> None:
    async def run() -> None:
        sending = Telemetry(TARGET)
        await sending.start()
        logging.getLogger("shared").setLevel(logging.DEBUG)
        _log.info("not this")
        logging.getLogger(LOGGER_NAME).info("a receipt")
        logging.getLogger("shared.hosting.exporter").warning("nor this")
        _log.error("an error")
        await sending.stop()

    asyncio.run(run())
    logging.getLogger("shared").setLevel(logging.NOTSET)
    assert kept.messages == ["a receipt", "an error"]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ValueError(), " (ValueError): expected InstrumentationKey="),
        (
            ModuleNotFoundError(name="azure.monitor"),
            ": the module azure.monitor is missing; its package is in requirements.txt",
        ),
    ],
    ids=["invalid", "not-installed"],
)
def test_an_exporter_that_cannot_be_opened_leaves_nothing_behind_and_is_reported_once(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, why: str
) -> None:
    def fail(_target: TelemetryTarget) -> logging.Handler:
        raise error

    monkeypatch.setattr(telemetry, "_exporter", fail)
    before = logging.getLogger("shared").handlers[:]

    async def run() -> Telemetry:
        sending = Telemetry(TARGET)
        _log.warning("lost")
        await sending.start()
        await sending.stop()
        return sending

    assert asyncio.run(run())._records.empty()
    assert logging.getLogger("shared").handlers == before
    said = [record.getMessage() for record in caplog.records if record.name == "shared.hosting.telemetry"]
    assert len(said) == 1
    assert said[0].startswith(f"Telemetry export to Application Insights is disabled for this process{why}")


MEASURED = Measured(
    otlp_endpoint="http://127.0.0.1:9",
    otlp_proxy="",
    otlp_headers="api-key=k",
    semconv="1.41",
    names_callers=False,
    backends={"east": ("azure.ai.openai", "east.openai.azure.com", 443)},
    open_streams=lambda: 0,
    ready=dict,
)


def test_traces_and_metrics_need_no_application_insights_and_survive_one_that_cannot_be_opened(
    monkeypatch: pytest.MonkeyPatch, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_target: TelemetryTarget) -> logging.Handler:
        raise ValueError

    receiver = Receiver()
    monkeypatch.setattr(telemetry, "_exporter", fail)
    measured = replace(MEASURED, otlp_endpoint=receiver.address)
    for target in (TARGET, TelemetryTarget(role="my-app")):

        async def run(target: TelemetryTarget = target) -> None:
            sending = Telemetry(target, measured)
            receipt().log()
            await sending.start()
            await sending.stop()

        before = logging.getLogger("shared").handlers[:]
        receiver.requests.clear()
        logging.getLogger(LOGGER_NAME).setLevel(logging.INFO)
        asyncio.run(run())
        assert [span.name for span in receiver.spans()] == ["answer", "chat gpt", "chat gpt"]
        assert {headers["api-key"] for _, headers, _ in receiver.requests} == {"k"}
        assert json.loads(receiver.logs()[-1].body.string_value)["id"] == "req_1"
        logging.getLogger("shared").handlers[:] = before
    receiver.stop()
    said = [one.getMessage() for one in caplog.records if one.name == "shared.hosting.telemetry"]
    assert len(said) == 1


def test_what_cannot_be_made_costs_the_traces_alone(
    monkeypatch: pytest.MonkeyPatch, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        sending = Telemetry(TARGET, replace(MEASURED, semconv="no such version"))
        _log.warning("the last")
        await sending.stop()

    asyncio.run(run())
    assert "the last" in kept.messages
    assert "Traces and metrics are disabled for this process (ValueError)" in caplog.text


def test_an_exporter_that_hangs_holds_the_end_up_for_a_bounded_time(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telemetry, "FLUSH_SECONDS", 0.2)
    kept.may_go_on.clear()

    async def run() -> None:
        sending = Telemetry(TARGET)
        _log.warning("held")
        await sending.stop()

    begun = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - begun < 10
    assert kept.messages == []
    kept.may_go_on.set()
