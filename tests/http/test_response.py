"""How an answer that fails after its head ends: the error event, the pause before a cut, and what may happen in that pause."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from shared import last_words
from shared.config.settings import Settings
from shared.errors import ServerStopping, UpstreamCut
from shared.http.open_streams import OpenStreams
from shared.http.response import AnswerResponse, Exchange
from shared.last_words import CUT_DELAY_SECONDS, send_error_ending
from shared.openai_api.inspector import ChunkInspector, ResponseInspector
from shared.openai_api.relay import StreamRelay
from shared.receipt import LOGGER_NAME, Receipt
from shared.translation import ErrorEnding
from shared.upstream.attempts import Answer

SETTINGS = {
    "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com",
    "AZURE_OPENAI_DEPLOYMENT": "gpt",
    "HEARTBEAT_SECONDS": "0.05",
}
EVENT = b'data: {"error":{}}\n\n'
WORD = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
OWN_FAILURE = b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"oops"}}}\n\n'
LEFT = {"type": "http.disconnect"}


class Client:
    """The server's side of one request, as ASGI has it: what was sent, when, and a client that leaves when it is told to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.sent_at: list[float] = []
        self.left = asyncio.Event()
        self.has_error = asyncio.Event()
        self._is_asked = False

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.sent_at.append(asyncio.get_running_loop().time())
        if b'"error"' in message.get("body", b""):
            self.has_error.set()

    async def receive(self) -> Any:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"{}", "more_body": False}
        await self.left.wait()
        return LEFT

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_complete(self) -> bool:
        return any(not message.get("more_body", True) for message in self.sent)


class FailingAnswer:
    """An answer whose upstream breaks off after these bytes."""

    def __init__(self, said: bytes, peek: ChunkInspector | ResponseInspector | None = None) -> None:
        self.translation = StreamRelay(peek or ChunkInspector(), hides_usage=True, max_event_bytes=1 << 20)
        self.upstream_status, self.last_read = 200, 0.0
        self.upstream_headers: dict[str, str] = {}
        self._said = said

    async def blocks(self) -> AsyncGenerator[bytes]:
        yield self.translation.feed(self._said)
        self.translation.end()
        raise self.translation.failure or UpstreamCut("The model broke off.")


def response_to(answer: FailingAnswer, streams: OpenStreams) -> AnswerResponse:
    exchange = Exchange(
        prepare=lambda _body: cast(Answer, answer),
        head=lambda _answer: {},
        error_page=lambda _error: pytest.fail("the status has been sent"),
        receipt=Receipt(id="r1", invocation_id="i1", api="openai"),
        on_start=lambda: None,
    )
    return AnswerResponse(exchange, settings=Settings.from_env(SETTINGS), open_streams=streams)


@pytest.fixture
def outcomes(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, LOGGER_NAME)
    return lambda: [json.loads(record.message)["ended"] for record in caplog.records if record.name == LOGGER_NAME]


def test_a_cut_leaves_the_response_incomplete_and_gives_the_error_event_time_to_leave(outcomes: Any) -> None:
    async def case() -> Client:
        client = Client()
        await response_to(FailingAnswer(WORD), OpenStreams())({"type": "http"}, client.receive, client.send)
        assert asyncio.get_running_loop().time() - client.sent_at[-1] >= CUT_DELAY_SECONDS
        return client

    client = asyncio.run(case())
    assert client.body.startswith(WORD + b'data: {"error":{"message":"The model broke off."')
    assert not client.is_complete
    assert outcomes() == ["upstream_cut"]


def test_no_heartbeat_comes_between_the_error_event_and_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_words, "CUT_DELAY_SECONDS", 0.5)  # ten heartbeats

    async def case() -> Client:
        client = Client()
        await response_to(FailingAnswer(WORD), OpenStreams())({"type": "http"}, client.receive, client.send)
        return client

    assert b'"error"' in asyncio.run(case()).sent[-1]["body"]


def test_a_client_that_leaves_before_the_cut_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(last_words, "CUT_DELAY_SECONDS", 60)

    async def case() -> None:
        client = Client()
        call = response_to(FailingAnswer(WORD), OpenStreams())({"type": "http"}, client.receive, client.send)
        running = asyncio.ensure_future(call)
        await client.has_error.wait()
        client.left.set()
        await asyncio.wait_for(running, 10)

    asyncio.run(case())
    assert outcomes() == ["upstream_cut"]


def test_a_process_that_stops_before_the_cut_changes_nothing(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(last_words, "CUT_DELAY_SECONDS", 0.5)

    async def case() -> Client:
        client, streams = Client(), OpenStreams()
        call = response_to(FailingAnswer(WORD), streams)({"type": "http"}, client.receive, client.send)
        running = asyncio.ensure_future(call)
        await client.has_error.wait()
        await streams.drain(0)
        assert len(streams) == 1, "it has not ended yet"
        await running
        assert len(streams) == 0
        return client

    client = asyncio.run(case())
    assert client.body.count(b'"error"') == 1
    assert ServerStopping.code.encode() not in client.body
    assert outcomes() == ["upstream_cut"]


def test_an_answer_that_is_cancelled_before_the_cut_leaves_its_receipt(
    monkeypatch: pytest.MonkeyPatch, outcomes: Any
) -> None:
    monkeypatch.setattr(last_words, "CUT_DELAY_SECONDS", 60)

    async def case() -> None:
        client = Client()
        call = response_to(FailingAnswer(WORD), OpenStreams())({"type": "http"}, client.receive, client.send)
        running = asyncio.ensure_future(call)
        await client.has_error.wait()
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(case())
    assert outcomes() == ["upstream_cut"]


def test_a_terminal_event_of_the_upstreams_own_ends_the_response_cleanly(outcomes: Any) -> None:
    said = b'data: {"type":"response.output_text.delta","delta":"hi"}\n\n' + OWN_FAILURE

    async def case() -> Client:
        client = Client()
        answer = FailingAnswer(said, ResponseInspector())
        await response_to(answer, OpenStreams())({"type": "http"}, client.receive, client.send)
        return client

    client = asyncio.run(case())
    assert (client.body, client.is_complete) == (said, True)
    assert outcomes() == ["oops"]


def test_an_error_ending_that_is_not_cut_completes_the_response_at_once() -> None:
    async def case() -> Client:
        client = Client()
        await send_error_ending(ErrorEnding(EVENT, is_cut=False), client.receive, client.send)
        return client

    assert asyncio.run(case()).sent == [{"type": "http.response.body", "body": EVENT, "more_body": False}]


def test_a_client_that_reads_too_slowly_for_the_error_event_is_cut_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_words, "LAST_WORDS_SECONDS", 0.01)

    async def never(_message: Any) -> None:
        await asyncio.Event().wait()

    for is_cut in (False, True):
        with pytest.raises(TimeoutError):
            asyncio.run(send_error_ending(ErrorEnding(EVENT, is_cut=is_cut), Client().receive, never))
