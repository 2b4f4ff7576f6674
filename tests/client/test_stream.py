"""The client's generator of events: the same events from every wire format, and no failure mistaken for a complete answer."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from client.failures import (
    FAILED,
    INCOMPLETE,
    KEY_HINT,
    UNAUTHORISED,
    UNREACHABLE,
    Cut,
    ErrorResponse,
    Failure,
    Unreachable,
)
from client.formats import MEDIA_TYPES, Event
from client.stream import ask
from tests.harness.cells import cells

EVENTS: list[Event] = [
    {"type": "started", "id": "a1", "model": "m"},
    {"type": "reasoning", "text": "hm"},
    {"type": "delta", "text": "Grüße\u2028\n"},
    {"type": "usage", "input_tokens": 1, "output_tokens": 2, "cached_tokens": 0, "reasoning_tokens": 0},
    {"type": "finished", "finish_reason": "stop"},
]
LINES = [json.dumps(event, ensure_ascii=False) for event in EVENTS]
COMPLETE = {"id": "a1", "model": "m", "text": "Grüße\u2028\n", "finish_reason": "stop", "reasoning": "hm"}
BODIES = {
    "sse": "".join(f": heartbeat\nevent: {json.loads(line)['type']}\ndata: {line}\n\n" for line in LINES),
    "ndjson": '{"type":"heartbeat"}\n' + "".join(line + "\n" for line in LINES),
    "text": "Grüße\u2028\n",
    "json": json.dumps(COMPLETE | {"usage": {name: value for name, value in EVENTS[3].items() if name != "type"}}),
}


class Pieces(httpx.AsyncByteStream):
    """A body that arrives in pieces, and may end with an error."""

    def __init__(self, pieces: Iterator[bytes], error: Exception | None = None) -> None:
        self._pieces, self._error = pieces, error
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        self.is_closed = True


def bytes_of(body: str, size: int) -> Iterator[bytes]:
    data = body.encode()
    return (data[start : start + size] for start in range(0, len(data), size))


def events_of(
    response: httpx.Response | Exception,
    wire_format: str = "sse",
    *,
    key: str = "",
    seen: list[httpx.Request] | None = None,
) -> list[Event]:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        if isinstance(response, Exception):
            raise response
        return response

    async def collect() -> list[Event]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
            events = ask(http, "http://x", {"input": "hi"}, key=key, wire_format=wire_format)
            return [event async for event in events]

    return asyncio.run(collect())


def stream_of(body: str, wire_format: str = "sse", size: int = 7, error: Exception | None = None) -> httpx.Response:
    return httpx.Response(
        200, headers={"content-type": MEDIA_TYPES[wire_format]}, stream=Pieces(bytes_of(body, size), error)
    )


@cells("size", [1, 7, 10_000])
@cells("wire_format", ["sse", "ndjson", "json"])
def test_every_format_gives_the_same_events_however_the_network_cuts_it(wire_format: str, size: int) -> None:
    assert events_of(stream_of(BODIES[wire_format], wire_format, size), wire_format) == EVENTS


def test_plain_text_gives_its_words_and_an_end() -> None:
    *deltas, end = events_of(stream_of(BODIES["text"], "text", 1), "text")
    assert "".join(event["text"] for event in deltas) == "Grüße\u2028\n"
    assert end["type"] == "finished"


@cells("wire_format", ["sse", "ndjson"])
def test_a_stream_without_an_end_event_is_cut(wire_format: str) -> None:
    body = BODIES[wire_format]
    with pytest.raises(Cut, match="before the answer was complete") as caught:
        events_of(stream_of(body[: body.rindex("finished") - 10], wire_format), wire_format)
    assert caught.value.exit_status == INCOMPLETE


@cells("wire_format", MEDIA_TYPES)
def test_a_connection_that_is_lost_is_cut(wire_format: str) -> None:
    error = httpx.RemoteProtocolError("incomplete chunked read")
    with pytest.raises(Cut, match="connection was lost"):
        events_of(stream_of(BODIES[wire_format][:20], wire_format, error=error), wire_format)


@cells("body", ["data: {nonsense\n\n", 'data: {"kind":"delta"}\n\n', "data: [1]\n\n"])
def test_invalid_events_raise_a_failure_and_not_the_parser_s_error(body: str) -> None:
    with pytest.raises(Cut, match="not a valid event"):
        events_of(stream_of(body))


def test_silence_is_limited() -> None:
    with pytest.raises(Cut, match="for too long"):
        events_of(stream_of("", error=httpx.ReadTimeout("")))


def test_a_connection_that_breaks_after_the_end_changes_nothing() -> None:
    body = '{"type":"failed","error":{"message":"m","code":"c"}}\n'
    error = httpx.RemoteProtocolError("incomplete chunked read")
    events = events_of(stream_of(body, "ndjson", error=error), "ndjson")
    assert events == [{"type": "failed", "error": {"message": "m", "code": "c"}}]


def test_a_failure_inside_the_stream_is_an_event() -> None:
    events = events_of(stream_of('data: {"type":"failed","error":{"message":"m","code":"c"}}\n\n'))
    assert events == [{"type": "failed", "error": {"message": "m", "code": "c"}}]


@cells(
    ("status", "body", "text", "code", "exit_status"),
    [
        (400, {"error": {"message": "No.", "code": "bad"}}, "No.", "bad", FAILED),
        (401, None, f"The service returned HTTP status 401. {KEY_HINT}", "401", UNAUTHORISED),
        (403, {"error": "no"}, "The service returned HTTP status 403.", "403", UNAUTHORISED),
        (502, {"error": {"message": "Down.", "code": None}}, "Down.", "502", FAILED),
        (302, None, "The service returned HTTP status 302.", "302", FAILED),
    ],
)
def test_an_error_response_has_its_message_code_and_exit_status(
    status: int, body: Any, text: str, code: str, exit_status: int
) -> None:
    response = httpx.Response(status, json=body) if body else httpx.Response(status, text="<html>")
    with pytest.raises(ErrorResponse) as caught:
        events_of(response)
    assert (str(caught.value), caught.value.code, caught.value.exit_status) == (text, code, exit_status)


def test_an_error_response_reports_retry_after() -> None:
    with pytest.raises(ErrorResponse, match="retry in 7 s"):
        events_of(httpx.Response(429, json={"error": {"message": "Busy."}}, headers={"retry-after": "7"}))


def test_an_address_that_refuses_connections_is_unreachable() -> None:
    with pytest.raises(Unreachable) as caught:
        events_of(httpx.ConnectError("refused"))
    assert caught.value.exit_status == UNREACHABLE


def test_another_content_type_is_not_taken_for_an_answer() -> None:
    with pytest.raises(Failure, match="Check the URL"):
        events_of(httpx.Response(200, html="<p>hello"))


def test_the_key_goes_where_the_host_and_the_app_look_for_it() -> None:
    seen: list[httpx.Request] = []
    events_of(stream_of(BODIES["sse"]), key="k", seen=seen)
    events_of(stream_of(BODIES["sse"]), seen=seen)
    with_key, without = (request.headers for request in seen)
    assert (with_key["x-functions-key"], with_key["authorization"]) == ("k", "Bearer k")
    assert "x-functions-key" not in without
    assert "authorization" not in without


def test_closing_the_generator_closes_the_connection() -> None:
    async def leave() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _request: response)) as http:
            events = ask(http, "http://x", {"input": "hi"})
            assert (await anext(events))["type"] == "started"
            await events.aclose()

    body = Pieces(bytes_of(BODIES["sse"], 7))
    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body)
    asyncio.run(leave())
    assert body.is_closed
