"""One destination's thread: bounded, and silent about what it cannot send but for one line an hour."""

import logging
import time
from http.client import BadStatusLine

import pytest

from shared.telemetry.aggregation import Aggregation, Instrument, Kind
from shared.telemetry.collector import Refused
from shared.telemetry.otlp import LogEntry
from shared.telemetry.sender import BATCH, MAX_WAITING, AlreadyReported, Sender
from shared.telemetry.spans import spans_of
from tests.telemetry.destinations import Kept
from tests.telemetry.samples import ENDED_AT, describer, receipt

SPANS = spans_of(receipt(), ENDED_AT, describer())
ENTRY = LogEntry(at_ns=1, severity=9, severity_text="INFO", body="b", attributes={}, scope="s")
OPEN = Instrument("open", Kind.UP_DOWN, "1", "")


def observe(aggregation: Aggregation) -> None:
    aggregation.set(OPEN, 3, ())


def eventually(condition: object) -> None:
    deadline = time.monotonic() + 20
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_was_put_is_sent_by_itself_and_the_rest_at_the_end_with_what_is_measured_then() -> None:
    kept = Kept()
    kept.metrics_every_seconds = 0.02
    sender = Sender(kept, observe, every=0.01)
    sender.start()
    sender.put(SPANS, ENTRY)
    eventually(lambda: kept.sent_spans == SPANS and kept.sent_logs == [ENTRY])
    eventually(lambda: kept.sent_metrics)
    sender.put(SPANS[:1])
    sender.close(20)
    assert (len(kept.sent_spans), kept.is_closed) == (4, True)
    assert [series.instrument.name for series in kept.sent_metrics] == ["open"]


def test_what_a_dead_destination_does_not_take_is_bounded_and_putting_never_waits() -> None:
    kept = Kept()
    kept.may_go_on.clear()
    sender = Sender(kept, observe, every=0.01)
    sender.start()
    began = time.monotonic()
    for _ in range(MAX_WAITING):
        sender.put(SPANS, ENTRY)
    assert time.monotonic() - began < 10
    assert len(sender._spans) <= MAX_WAITING
    assert len(sender._logs) <= MAX_WAITING
    began = time.monotonic()
    sender.close(0.1)
    assert time.monotonic() - began < 10
    kept.may_go_on.set()


def test_what_was_dropped_is_counted_and_told_once_in_a_while_and_at_the_end(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    sender = Sender(kept, observe, every=0.01)
    for _ in range(MAX_WAITING):
        sender.put(SPANS[:1], ENTRY)
    sender.put(SPANS[:1] * 5, ENTRY)
    sender.start()
    eventually(lambda: len(kept.sent_spans) == len(kept.sent_logs) == MAX_WAITING)
    kept.may_go_on.clear()
    sender.put(SPANS[:1])
    eventually(lambda: kept.calls > MAX_WAITING * 2 // BATCH)
    sender.put(SPANS[:1] * (MAX_WAITING + 7))
    kept.may_go_on.set()
    sender.close(20)
    told = [one.getMessage().partition(": ")[2] for one in caplog.records]
    assert told == [f"{dropped} spans and log records were dropped (logged once an hour at most)" for dropped in (6, 7)]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (lambda: Refused(403), "Refused 403"),
        (lambda: OSError("secret.example.com"), "OSError"),
        (ValueError, "ValueError"),
        (lambda: BadStatusLine("garbage"), "BadStatusLine"),
    ],
)
def test_a_destination_that_takes_nothing_is_reported_once_without_its_words(
    caplog: pytest.LogCaptureFixture, error: type[Exception], said: str
) -> None:
    kept = Kept(fails=error)
    kept.metrics_every_seconds = 0.01
    sender = Sender(kept, observe, every=0.01)
    with caplog.at_level(logging.WARNING, "shared.telemetry.sender"):
        sender.start()
        for _ in range(5):
            calls = kept.calls
            sender.put(SPANS, ENTRY)
            eventually(lambda calls=calls: kept.calls > calls)
        sender.close(20)
    (record,) = caplog.records
    assert record.getMessage() == f"The test does not take traces and metrics (logged once an hour at most): {said}"


def test_what_reports_its_failures_by_itself_is_not_reported_again(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept(fails=AlreadyReported)
    sender = Sender(kept, observe, every=0.01)
    sender.start()
    sender.put(SPANS)
    sender.close(20)
    assert kept.calls >= 1
    assert not caplog.records


def test_after_a_failure_the_next_batch_waits_for_the_next_time() -> None:
    kept = Kept(fails=OSError)
    sender = Sender(kept, observe)
    for _ in range(600):
        sender.put(SPANS)
    sender._send_queued()
    assert kept.calls == 1
    assert sender._spans


def test_a_measurement_that_raises_costs_only_itself() -> None:
    def broken(_aggregation: Aggregation) -> None:
        raise ZeroDivisionError

    kept = Kept()
    sender = Sender(kept, broken)
    sender.aggregation.add([(Instrument("count", Kind.COUNTER, "1", ""), 1, ())])
    sender.start()
    sender.close(20)
    assert [series.instrument.name for series in kept.sent_metrics] == ["count"]
