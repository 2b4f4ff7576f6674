"""What waits has an end: a body that stops arriving, a client that takes nothing, an upstream that only seems alive."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from shared.errors import FunctionTimeout, RequestTimeout, TooManyStreams
from shared.http import body as request_body
from shared.http import outbound, stream_clock
from shared.http.open_streams import OpenStreams
from tests.harness.virtual_time import run
from tests.http.one_answer import (
    ERROR_PAGES,
    SETTINGS,
    WORD,
    BreakingBody,
    Client,
    response_to,
)

DONE = b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
KEEPALIVE = b'data: {"id":"c1","choices":[]}\n\n'
SOON = 0.05
PATIENCE = 10.0


class Uploading(Client):
    """A client whose body arrives in these pieces, with a pause before each, and never ends unless it is told to."""

    def __init__(self, *pieces: bytes, pause: float = 0.0, ends: bool = False) -> None:
        super().__init__()
        self.pieces = list(pieces)
        self.pause = pause
        self.ends = ends

    async def receive(self) -> Any:
        if not self.pieces:
            return await self._later()
        await asyncio.sleep(self.pause)
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces) or not self.ends}

    async def _later(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}


class Transport:
    """The server's side of the connection."""

    def __init__(self) -> None:
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True


class NotReading(Client):
    """A client whose side has room for so many body messages."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self.transport = Transport()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body":
            if not self.room:
                await asyncio.Event().wait()
            self.room -= 1
        await super().send(message)


@dataclass
class LiveBody(BreakingBody):
    """An upstream that sends these pieces, a pause before each but the first, and the last of them again and again."""

    pieces: list[bytes]
    pause: float = 0.01
    is_closed: bool = False
    sent: int = field(default=0)

    async def read(self) -> bytes:
        if self.sent:
            await asyncio.sleep(self.pause)
        self.sent += 1
        return self.pieces.pop(0) if len(self.pieces) > 1 else self.pieces[0]

    def close(self) -> None:
        self.is_closed = True


def ask(client: Client, upstream: BreakingBody, streams: OpenStreams | None = None) -> None:
    async def case() -> None:
        response = response_to(b"", OpenStreams() if streams is None else streams, body=upstream)
        await asyncio.wait_for(response({"type": "http"}, client.receive, client.send), PATIENCE)

    run(case())


def head(client: Client) -> tuple[int, dict[bytes, bytes]]:
    start = client.sent[0]
    return start["status"], dict(start["headers"])


@pytest.mark.parametrize("pieces", [[b"{"], [b" " * 100_000, *[b""] * 1000]], ids=["silence", "empty messages"])
def test_a_body_that_stops_arriving_is_a_408_on_a_connection_that_closes(
    pieces: list[bytes], monkeypatch: pytest.MonkeyPatch, outcomes: Any
) -> None:
    monkeypatch.setattr(request_body, "BODY_SILENCE_SECONDS", SOON)
    client = Uploading(*pieces, pause=0.01 if len(pieces) > 1 else 0)
    ask(client, BreakingBody([]))
    status, headers = head(client)
    assert (status, headers[b"connection"], client.is_complete) == (408, b"close", True)
    assert (ERROR_PAGES[-1], outcomes()) == (RequestTimeout.code, [RequestTimeout.code])


def test_a_body_that_arrives_byte_by_byte_is_a_408(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(request_body, "BODY_SILENCE_SECONDS", 0.2)
    client = Uploading(*[b" "] * 1000, pause=0.02)
    ask(client, BreakingBody([]))
    assert (head(client)[0], outcomes()) == (408, [RequestTimeout.code])


def test_a_body_that_keeps_its_rate_may_take_longer(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(request_body, "BODY_SILENCE_SECONDS", 1.0)
    client = Uploading(b" " * 1000, b" " * 1000, b" " * 1000, b"{}", pause=0.4, ends=True)
    ask(client, LiveBody([WORD, DONE]))
    assert (head(client)[0], outcomes()) == (200, ["finished"])


def test_a_body_never_arrives_for_longer_than_the_host_lets_it(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setitem(SETTINGS, "AzureFunctionsJobHost__functionTimeout", "00:00:01")
    client = Uploading(*[b" " * 1000] * 1000, pause=0.02)
    ask(client, BreakingBody([]))
    assert (head(client)[0], outcomes()) == (408, [RequestTimeout.code])


@pytest.mark.parametrize("heartbeat", ["0.05", "60"], ids=["with heartbeats", "without"])
def test_a_client_that_takes_nothing_is_cut_and_its_upstream_closed(
    heartbeat: str, monkeypatch: pytest.MonkeyPatch, outcomes: Any
) -> None:
    monkeypatch.setattr(stream_clock, "CLIENT_SILENCE_SECONDS", 0.2)
    monkeypatch.setitem(SETTINGS, "HEARTBEAT_SECONDS", heartbeat)
    client, upstream = NotReading(room=1), LiveBody([WORD])
    ask(client, upstream)
    assert (client.body, client.is_complete, upstream.is_closed) == (WORD, False, True)
    assert client.transport.is_aborted
    assert outcomes() == ["client_too_slow"]


def test_a_client_that_does_not_even_take_a_heartbeat_is_cut(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(stream_clock, "CLIENT_SILENCE_SECONDS", 0.3)
    monkeypatch.setitem(SETTINGS, "UPSTREAM_SILENCE_SECONDS", "0.1")
    client, upstream = NotReading(room=1), LiveBody([WORD, WORD], pause=0.08)
    ask(client, upstream)
    assert (client.is_complete, upstream.is_closed, outcomes()) == (False, True, ["client_too_slow"])


def test_a_client_that_does_not_take_the_end_of_its_answer_is_cut(
    monkeypatch: pytest.MonkeyPatch, outcomes: Any
) -> None:
    monkeypatch.setattr(outbound, "CLIENT_SILENCE_SECONDS", SOON)
    client = NotReading(room=2)
    ask(client, LiveBody([WORD, DONE]))
    assert (client.body, client.is_complete, outcomes()) == (WORD + DONE, False, ["client_too_slow"])


def test_a_client_that_does_not_take_an_error_page_is_cut(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(outbound, "CLIENT_SILENCE_SECONDS", SOON)
    ask(NotReading(room=0), BreakingBody([]))
    assert outcomes() == ["client_too_slow"]


@pytest.mark.parametrize(
    "sign",
    [b": ping\n\n", b"\n\n", b"data:\n\n", b"event: x\n\n", b"x"],
    ids=["comment", "blank", "no data", "name", "half"],
)
def test_only_complete_events_are_a_sign_of_life(sign: bytes, monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setitem(SETTINGS, "UPSTREAM_SILENCE_SECONDS", "0.2")
    ask(Client(), LiveBody([WORD, sign]))
    assert outcomes() == ["upstream_silent"]


def test_the_upstreams_own_keepalive_events_are_a_sign_of_life(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setitem(SETTINGS, "UPSTREAM_SILENCE_SECONDS", "0.5")
    ask(Client(), LiveBody([WORD, *[KEEPALIVE] * 10, DONE], pause=0.1))
    assert outcomes() == ["finished"]


def test_an_answer_ends_honestly_before_the_host_cuts_it(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setitem(SETTINGS, "AzureFunctionsJobHost__functionTimeout", "00:00:01")
    client, upstream = Client(), LiveBody([WORD])
    ask(client, upstream)
    assert b'"code":"function_timeout"' in client.body
    assert (upstream.is_closed, outcomes()) == (True, [FunctionTimeout.code])


def test_an_answer_that_has_not_begun_by_then_is_a_504(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setitem(SETTINGS, "AzureFunctionsJobHost__functionTimeout", "00:00:01")
    client, upstream = Client(), LiveBody([b": nothing yet\n\n"])
    ask(client, upstream)
    assert (head(client)[0], ERROR_PAGES[-1], outcomes()) == (504, FunctionTimeout.code, [FunctionTimeout.code])
    assert b"connection" not in head(client)[1]


def test_a_client_that_does_not_even_take_the_error_event_is_aborted(
    monkeypatch: pytest.MonkeyPatch, outcomes: Any
) -> None:
    monkeypatch.setattr(outbound, "ERROR_ENDING_TIMEOUT_SECONDS", SOON)
    monkeypatch.setitem(SETTINGS, "AzureFunctionsJobHost__functionTimeout", "00:00:01")
    client = NotReading(room=1)
    ask(client, LiveBody([WORD]))
    assert (client.body, client.transport.is_aborted, outcomes()) == (WORD, True, [FunctionTimeout.code])


def test_callers_who_send_nothing_take_no_slot(outcomes: Any) -> None:
    async def case() -> tuple[int, Client]:
        streams, asked = OpenStreams(maximum=1), Client()
        quiet = [Uploading(b"{") for _ in range(3)]
        waiting = [
            asyncio.ensure_future(response_to(b"", streams)({"type": "http"}, one.receive, one.send)) for one in quiet
        ]
        await asyncio.sleep(0)
        known = len(streams)
        answered = response_to(b"", streams, body=LiveBody([WORD, DONE]))
        await asyncio.wait_for(answered({"type": "http"}, asked.receive, asked.send), PATIENCE)
        for one in quiet:
            one.left.set()
        await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)
        assert len(streams) == 0
        return known, asked

    known, asked = run(case())
    assert (known, head(asked)[0]) == (3, 200)
    assert sorted(outcomes()) == ["client_left"] * 3 + ["finished"]


def test_a_slot_is_taken_when_the_body_has_arrived(outcomes: Any) -> None:
    async def case() -> Client:
        streams, refused = OpenStreams(maximum=1), Client()
        first = response_to(b"", streams, body=LiveBody([WORD]))
        client = Client()
        running = asyncio.ensure_future(first({"type": "http"}, client.receive, client.send))
        while not client.sent:  # noqa: ASYNC110 - a few steps of the loop
            await asyncio.sleep(0)
        await response_to(b"", streams)({"type": "http"}, refused.receive, refused.send)
        client.left.set()
        await asyncio.wait_for(running, PATIENCE)
        return refused

    assert head(run(case()))[0] == 503
    assert outcomes() == [TooManyStreams.code, "client_left"]
