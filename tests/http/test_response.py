"""How an answer that fails after its head ends: the error event, the pause before a cut, and what may happen in that pause."""

import asyncio
import gc
import threading
import weakref
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from starlette.types import Send

from shared.config.catalog import Target
from shared.config.settings import Settings
from shared.demand import Demand
from shared.errors import BadRequest, ServerStopping
from shared.http import outbound
from shared.http.admission import Ticket
from shared.http.open_streams import OpenStreams
from shared.http.outbound import CUT_DELAY_SECONDS, Outbound
from shared.http.response import LARGE_BODY_BYTES, AnswerResponse
from shared.openai_api.inspector import ChunkInspector, ResponseInspector
from shared.receipt import Receipt, Spent
from shared.translation import ErrorEnding
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall
from shared.upstream.pool import BackendPool
from tests.harness.cells import cells
from tests.harness.virtual_time import run
from tests.http.one_answer import (
    ERROR_PAGES,
    EVENT,
    LEFT,
    OWN_FAILURE,
    SETTINGS,
    WORD,
    BreakingBody,
    BreakingClients,
    Client,
    OneAnswer,
    response_to,
)

ENDING = b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@dataclass
class Thing:
    """Something that a request made."""


class Observed(OneAnswer):
    """Notes in which thread bodies are read, and what is left of what was made there. Then it fails."""

    threads: ClassVar[list[int]] = []
    made: ClassVar[list[weakref.ref[Thing]]] = []

    def prepare(self, body: bytes) -> Answer:
        thing = Thing()
        self.threads.append(threading.get_ident())
        self.made.append(weakref.ref(thing))
        try:
            raise ValueError("of a library")
        except ValueError:
            raise BadRequest("no") from None


def outbound_to(send: Send) -> Outbound:
    return Outbound(send, Receipt(id="r1", invocation_id="i1", api="openai"))


def test_a_cut_leaves_the_response_incomplete_and_gives_the_error_event_time_to_leave(outcomes: Any) -> None:
    async def case() -> Client:
        client = Client()
        await response_to(WORD, OpenStreams())({"type": "http"}, client.receive, client.send)
        assert asyncio.get_running_loop().time() - client.sent_at[-1] >= CUT_DELAY_SECONDS
        return client

    client = run(case())
    assert client.body.startswith(WORD + b'data: {"error":{"message":"The model broke off."')
    assert not client.is_complete
    assert outcomes() == ["upstream_cut"]


def test_no_heartbeat_comes_between_the_error_event_and_the_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "CUT_DELAY_SECONDS", 0.5)  # ten heartbeats

    async def case() -> Client:
        client = Client()
        await response_to(WORD, OpenStreams())({"type": "http"}, client.receive, client.send)
        return client

    assert b'"error"' in run(case()).sent[-1]["body"]


def test_a_client_that_leaves_before_the_cut_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(outbound, "CUT_DELAY_SECONDS", 60)

    async def case() -> None:
        client = Client()
        call = response_to(WORD, OpenStreams())({"type": "http"}, client.receive, client.send)
        running = asyncio.ensure_future(call)
        await client.has_error.wait()
        client.left.set()
        await asyncio.wait_for(running, 10)

    run(case())
    assert outcomes() == ["upstream_cut"]


def test_a_process_that_stops_before_the_cut_changes_nothing(monkeypatch: pytest.MonkeyPatch, outcomes: Any) -> None:
    monkeypatch.setattr(outbound, "CUT_DELAY_SECONDS", 0.5)

    async def case() -> Client:
        client, streams = Client(), OpenStreams()
        call = response_to(WORD, streams)({"type": "http"}, client.receive, client.send)
        running = asyncio.ensure_future(call)
        await client.has_error.wait()
        await streams.drain(0)
        assert len(streams) == 1, "it has not ended yet"
        await running
        assert len(streams) == 0
        return client

    client = run(case())
    assert client.body.count(b'"error"') == 1
    assert ServerStopping.code.encode() not in client.body
    assert outcomes() == ["upstream_cut"]


def test_an_answer_that_is_cancelled_before_the_cut_leaves_its_receipt(
    monkeypatch: pytest.MonkeyPatch, outcomes: Any
) -> None:
    monkeypatch.setattr(outbound, "CUT_DELAY_SECONDS", 60)

    async def case() -> None:
        client = Client()
        call = response_to(WORD, OpenStreams())({"type": "http"}, client.receive, client.send)
        running = asyncio.ensure_future(call)
        await client.has_error.wait()
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    run(case())
    assert outcomes() == ["upstream_cut"]


def test_a_terminal_event_of_the_upstreams_own_ends_the_response_cleanly(outcomes: Any) -> None:
    said = b'data: {"type":"response.output_text.delta","delta":"hi"}\n\n' + OWN_FAILURE

    async def case() -> Client:
        client = Client()
        await response_to(said, OpenStreams(), ResponseInspector())({"type": "http"}, client.receive, client.send)
        return client

    client = run(case())
    assert (client.body, client.is_complete) == (said, True)
    assert outcomes() == ["oops"]


def test_an_error_ending_that_is_not_cut_completes_the_response_at_once() -> None:
    async def case() -> Client:
        client = Client()
        await outbound_to(client.send).send_error_ending(ErrorEnding(EVENT, is_cut=False), client.receive)
        return client

    assert run(case()).sent == [{"type": "http.response.body", "body": EVENT, "more_body": False}]


def test_a_client_that_reads_too_slowly_for_the_error_event_is_cut_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "ERROR_ENDING_TIMEOUT_SECONDS", 0.01)

    async def never(_message: Any) -> None:
        await asyncio.Event().wait()

    async def end(*, is_cut: bool) -> None:
        await outbound_to(never).send_error_ending(ErrorEnding(EVENT, is_cut=is_cut), Client().receive)

    for is_cut in (False, True):
        with pytest.raises(TimeoutError):
            run(end(is_cut=is_cut))


def test_a_request_whose_body_is_still_arriving_ends_with_the_drain(outcomes: Any) -> None:
    class Trickling(Client):
        async def receive(self) -> Any:
            if not self._is_asked:
                self._is_asked = True
                return {"type": "http.request", "body": b"{", "more_body": True}
            await self.left.wait()
            return LEFT

    async def case() -> tuple[Client, str]:
        client, streams = Trickling(), OpenStreams()
        response = response_to(WORD, streams)
        running = asyncio.ensure_future(response({"type": "http"}, client.receive, client.send))
        while not len(streams):  # noqa: ASYNC110 - a few steps of the loop
            await asyncio.sleep(0)
        await streams.drain(0)
        await asyncio.wait_for(running, 10)
        return client, ERROR_PAGES[-1]

    client, code = run(case())
    assert code == ServerStopping.code
    assert [message["type"] for message in client.sent] == ["http.response.start", "http.response.body"]
    assert outcomes() == [ServerStopping.code]


@cells(("size", "is_elsewhere"), [(LARGE_BODY_BYTES, False), (LARGE_BODY_BYTES + 1, True)])
def test_a_large_body_is_read_in_a_thread_and_an_error_keeps_nothing_of_it(size: int, *, is_elsewhere: bool) -> None:
    class Sending(Client):
        async def receive(self) -> Any:
            return {"type": "http.request", "body": b" " * size, "more_body": False}

    async def case() -> None:
        client, settings = Sending(), Settings.from_env(SETTINGS)
        upstream = Upstream(BreakingClients(BreakingBody([])), BackendPool(settings.backends), settings)
        exchange = Observed(upstream, ChunkInspector(), Receipt(id="r1", invocation_id="i1", api="openai"))
        response = AnswerResponse(exchange, settings=settings, open_streams=OpenStreams())
        await response({"type": "http"}, client.receive, client.send)
        assert client.sent[0]["status"] == 400

    gc.disable()
    try:
        asyncio.run(case())  # with its threads
        assert (Observed.threads[-1] != threading.get_ident()) is is_elsewhere
        assert Observed.made[-1]() is None
    finally:
        gc.enable()


@cells(("size", "is_elsewhere"), [(LARGE_BODY_BYTES, False), (LARGE_BODY_BYTES + 1, True)])
def test_what_a_large_body_asks_for_is_looked_up_in_a_thread(size: int, *, is_elsewhere: bool) -> None:
    threads: list[int] = []

    def demand() -> Demand:
        threads.append(threading.get_ident())
        return Demand(1)

    class Sending(Client):
        async def receive(self) -> Any:
            return {**await super().receive(), "body": b" " * size}

    class Asking(OneAnswer):
        def prepare(self, _body: bytes) -> Answer:
            call = UpstreamCall(path="p", target=Target("m", {"default": "m"}), demand=demand)
            return Answer(call, self._translation, self.upstream, self.receipt)

    class Refusing:
        async def admit(self, _caller: str, _model: str, _demand: Demand) -> Ticket:
            raise BadRequest("no")

    async def case() -> None:
        client, settings = Sending(), Settings.from_env(SETTINGS)
        upstream = Upstream(BreakingClients(BreakingBody([])), BackendPool(settings.backends), settings)
        exchange = Asking(upstream, ChunkInspector(), Receipt(id="r1", invocation_id="i1", api="openai"))
        response = AnswerResponse(exchange, settings=settings, open_streams=OpenStreams(), admission=Refusing())
        await response({"type": "http"}, client.receive, client.send)
        assert client.sent[0]["status"] == 400

    asyncio.run(case())
    assert [one != threading.get_ident() for one in threads] == [is_elsewhere]


def test_an_answer_whose_end_arrives_as_its_client_leaves_was_left_and_counts_whole(outcomes: Any) -> None:
    spent: list[Spent] = []

    class Noting:
        headers: ClassVar[dict[str, str]] = {}

        def settle(self, all_of_it: Spent) -> None:
            spent.append(all_of_it)

    class Admitting:
        async def admit(self, _caller: str, _model: str, _demand: Demand) -> Ticket:
            return Noting()

    class Asking(OneAnswer):
        def prepare(self, _body: bytes) -> Answer:
            call = UpstreamCall(path="p", target=Target("m", {"default": "m"}), demand=lambda: Demand(1))
            return Answer(call, self._translation, self.upstream, self.receipt)

    @dataclass
    class Arriving(BreakingBody):
        reads: int = 0

        async def read(self) -> bytes:
            self.reads += 1
            if self.reads == 2:
                await asyncio.Event().wait()
            return self.pieces.pop(0) if self.pieces else b""

    async def case() -> None:
        client, settings = Client(), Settings.from_env(SETTINGS)
        upstream = Upstream(BreakingClients(Arriving([WORD, ENDING])), BackendPool(settings.backends), settings)
        exchange = Asking(upstream, ChunkInspector(), Receipt(id="r1", invocation_id="i1", api="openai"))
        response = AnswerResponse(exchange, settings=settings, open_streams=OpenStreams(), admission=Admitting())
        asyncio.get_running_loop().call_later(1.0, client.left.set)
        await response({"type": "http"}, client.receive, client.send)
        assert ENDING not in client.body

    run(case())
    assert outcomes() == ["client_left"]
    assert [one.is_finished for one in spent] == [True]


def test_a_block_waits_for_a_heartbeat_that_is_still_leaving() -> None:
    class SlowHeartbeat(Client):
        def __init__(self) -> None:
            super().__init__()
            self.gate = asyncio.Event()
            self.beating = asyncio.Event()

        async def send(self, message: Any) -> None:
            if message.get("body", b"").startswith(b":"):
                self.beating.set()
                await self.gate.wait()
            await super().send(message)

    class Late(BreakingBody):
        def __init__(self, release: asyncio.Event) -> None:
            super().__init__([WORD, WORD])
            self.release = release

        async def read(self) -> bytes:
            if len(self.pieces) == 1:
                await self.release.wait()
            return await super().read()

    async def case() -> list[bytes]:
        client, release = SlowHeartbeat(), asyncio.Event()
        response = response_to(b"", OpenStreams(), body=Late(release))
        running = asyncio.ensure_future(response({"type": "http"}, client.receive, client.send))
        await asyncio.wait_for(client.beating.wait(), 10)
        release.set()
        for _ in range(20):
            await asyncio.sleep(0)
        client.gate.set()
        await asyncio.wait_for(running, 10)
        return [message["body"] for message in client.sent if message["type"] == "http.response.body"]

    first, heartbeat, second, *_ = run(case())
    assert (first, heartbeat[:1], second) == (WORD, b":", WORD)
