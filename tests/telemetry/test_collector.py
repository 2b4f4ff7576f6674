"""Batches on their way to a collector over HTTP."""

from collections.abc import Iterator
from http.client import HTTPException

import pytest

from shared.telemetry.collector import Collector, Refused, parse_headers
from shared.telemetry.otlp import Envelope, LogEntry
from shared.telemetry.spans import spans_of
from tests.harness.cells import cells
from tests.telemetry.receiver import Receiver
from tests.telemetry.samples import ENDED_AT, describer, receipt

ENVELOPE = Envelope({"service.name": "my-app"}, "shared", "1.2.3")
ENTRY = LogEntry(at_ns=1, severity=9, severity_text="INFO", body="b", attributes={}, scope="s")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.stop()


def test_each_signal_goes_to_its_path_below_the_address_with_the_headers(receiver: Receiver) -> None:
    collector = Collector(receiver.address + "/", {"api-key": "k"}, ENVELOPE)
    collector.spans(spans_of(receipt(), ENDED_AT, describer()))
    collector.metrics([])
    collector.logs([ENTRY])
    collector.close()
    assert [path for path, _, _ in receiver.requests] == ["/v1/traces", "/v1/metrics", "/v1/logs"]
    assert {headers["content-type"] for _, headers, _ in receiver.requests} == {"application/x-protobuf"}
    assert {headers["api-key"] for _, headers, _ in receiver.requests} == {"k"}
    assert [headers.get("content-encoding") for _, headers, _ in receiver.requests] == ["gzip", None, None]
    assert len(receiver.spans()) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 503, 301, 307])
def test_a_status_other_than_2xx_is_a_refusal_and_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    receiver.status, receiver.reply = status, b"\xff garbage \x00" * 100
    with pytest.raises(Refused) as refused:
        Collector(receiver.address, {"api-key": "k"}, ENVELOPE).logs([ENTRY])
    assert refused.value.status == status
    assert len(receiver.requests) == 1


def test_a_reply_of_garbage_after_200_is_no_failure(receiver: Receiver) -> None:
    receiver.reply = b"\xff\x00" * 100_000
    Collector(receiver.address, {}, ENVELOPE).logs([ENTRY])


def test_a_proxy_is_asked_where_there_is_one(receiver: Receiver) -> None:
    Collector("http://collector.example.com:4318", {}, ENVELOPE, receiver.address).logs([ENTRY])
    ((asked, headers, _),) = receiver.requests
    assert (asked, headers["host"]) == ("http://collector.example.com:4318/v1/logs", "collector.example.com:4318")


def test_what_is_not_http_is_an_http_exception(receiver: Receiver) -> None:
    receiver.speaks_http = False
    with pytest.raises(HTTPException):
        Collector(receiver.address, {}, ENVELOPE).logs([ENTRY])


def test_nobody_there_is_an_oserror() -> None:
    with pytest.raises(OSError, match="refused"):
        Collector("http://127.0.0.1:9", {}, ENVELOPE).logs([ENTRY])


@cells(
    ("text", "headers"),
    [
        ("", {}),
        ("api-key=abc", {"api-key": "abc"}),
        ("Authorization=Basic%20abc%3D%3D, x-tenant = a ", {"authorization": "Basic abc==", "x-tenant": "a"}),
        ("a=b=c,=d,e", {"a": "b=c"}),
    ],
)
def test_headers_are_names_and_encoded_values_between_commas(text: str, headers: dict[str, str]) -> None:
    assert parse_headers(text) == headers
