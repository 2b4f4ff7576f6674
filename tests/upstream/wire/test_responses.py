"""An event of the Responses API, and the two events with which a response fails."""

import json
from typing import Any

import pytest

from shared.errors import UpstreamMalformed
from shared.events import Usage
from shared.upstream.wire.frames import NO_EXPLANATION, FrameKind
from shared.upstream.wire.responses import ENDINGS, PREAMBLE, Failure, decode_content_event, decode_event
from tests.harness.cells import cells

ANNOUNCED, FAILURE = FrameKind.FAILURE_ANNOUNCED, FrameKind.FAILURE
DELTA = {"type": "response.output_text.delta", "delta": "hi"}
FAILED = {"type": "response.failed", "response": {"error": None}}
EXPLAINED = {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "oops"}}}
CANCELLED = {"type": "response.cancelled", "response": {}}
FLAT = {"type": "error", "code": "rate_limit_exceeded", "message": "slow down", "param": None}
NESTED = {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}


@cells(
    ("events", "kinds", "message"),
    [
        ([DELTA], [None], None),
        ([FAILED], [ANNOUNCED], NO_EXPLANATION),
        ([CANCELLED], [ANNOUNCED], "The response was cancelled."),
        ([CANCELLED, FLAT], [ANNOUNCED, FAILURE], "slow down"),
        ([{"type": "response.failed"}], [ANNOUNCED], NO_EXPLANATION),
        ([EXPLAINED], [ANNOUNCED], "oops"),
        ([FLAT], [ANNOUNCED], "slow down"),
        ([{"type": "error"}], [ANNOUNCED], NO_EXPLANATION),
        ([FAILED, FLAT], [ANNOUNCED, FAILURE], "slow down"),
        ([FAILED, DELTA, NESTED], [ANNOUNCED, None, FAILURE], "slow down"),
        ([NESTED, FAILED], [ANNOUNCED, FAILURE], "slow down"),
        ([NESTED, EXPLAINED], [ANNOUNCED, FAILURE], "oops"),
        ([EXPLAINED, CANCELLED], [ANNOUNCED, FAILURE], "oops"),
        ([FAILED, FAILED], [ANNOUNCED, FAILURE], NO_EXPLANATION),
    ],
)
def test_a_response_fails_in_two_events_in_either_order_or_in_one(
    events: list[Any], kinds: list[FrameKind | None], message: str | None
) -> None:
    failure = Failure()
    assert [failure.read(decode_event(json.dumps(event).encode())) for event in events] == kinds
    assert (failure.error and failure.error.message) == message


@cells(("event", "is_explained"), [(DELTA, False), (FAILED, False), (EXPLAINED, True), (FLAT, True), (NESTED, True)])
def test_a_failure_is_explained_by_an_error_of_its_own(event: Any, is_explained: bool) -> None:
    failure = Failure()
    failure.read(decode_event(json.dumps(event).encode()))
    assert failure.is_explained is is_explained


def test_no_event_is_both_preamble_and_ending() -> None:
    assert not PREAMBLE & ENDINGS


def test_content_is_read_only_where_it_is_asked_for() -> None:
    data = b'{"type": "x", "delta": "hi", "item": {"type": "function_call"}, "response": {"id": "r"}}'
    event = decode_content_event(data)
    assert (event.delta, event.item and event.item.type, event.response and event.response.id) == (
        "hi", "function_call", "r",
    )  # fmt: skip
    assert not hasattr(decode_event(data), "delta")


def test_an_odd_field_costs_only_itself() -> None:
    event = decode_content_event(
        b'{"type": "new", "sequence_number": "7", "delta": {"x": 1}, "item": [], "response": {"id": 5, "model": "m", '
        b'"usage": {"input_tokens": 3, "output_tokens": "4"}, "incomplete_details": {"reason": "content_filter"}}}'
    )
    assert (event.sequence_number, event.item, event.delta) == (None, None, {"x": 1})
    assert event.response is not None
    assert event.response.usage is not None
    assert (event.response.id, event.response.model, event.response.usage.event()) == (None, "m", Usage(3, 0))
    assert event.response.incomplete_details is not None
    assert event.response.incomplete_details.reason == "content_filter"
    assert decode_event(b'{"type": "new", "response": "resp_1"}').response is None


@cells("kind", ["5", "null", "{}"])
def test_a_type_that_is_no_text_is_malformed(kind: str) -> None:
    for decode in (decode_event, decode_content_event):
        with pytest.raises(UpstreamMalformed):
            decode(f'{{"type": {kind}}}'.encode())
