"""An answer whose blocks leave from the loop's callback ends as every other does, whatever happens in the same turn."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.errors import ServerStopping
from shared.http.open_streams import OpenStreams
from shared.upstream.call import Take
from tests.harness.app import ask_in
from tests.harness.caller import Caller
from tests.harness.cells import cells
from tests.harness.frames import Frames
from tests.harness.upstream import Says, Step
from tests.harness.virtual_time import run
from tests.http.one_answer import WORD, BreakingBody, Client, response_to
from tests.worker.ways import STREAMS

A, B = WORD.replace(b"hi", b"a"), WORD.replace(b"hi", b"b")
END = b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
STOPPING = ServerStopping("The service is stopping.")


def nothing() -> None:
    """What happens after the last piece where nothing is to happen."""


@dataclass
class FlowingBody(BreakingBody):
    """Hands over its pieces, one per turn of the loop, and does `afterwards` in the turn of the last; then it is silent."""

    pieces: list[bytes]
    afterwards: Callable[[], None] = field(default=nothing)

    async def flow(self, take: Take) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()

        def hand_over() -> None:
            goes_on = take(self.pieces.pop(0))
            if not self.pieces:
                self.afterwards()
            elif goes_on:
                loop.call_soon(hand_over)
            if not goes_on and not ended.done():
                ended.set_result(None)

        loop.call_soon(hand_over)
        await ended


class SlowClient(Client):
    """A client whose side has no room for the third message, the second block, until `room` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.room = asyncio.Event()

    async def send(self, message: Any) -> None:
        if len(self.sent) >= 2:
            await self.room.wait()
        await super().send(message)


def answer(pieces: Sequence[bytes], client: Client, stops: Callable[[Callable[[], None]], None]) -> None:
    """Ask; `stops` is called after the last piece, with what ends the answer because the process is stopping."""

    async def case() -> None:
        body = FlowingBody(list(pieces))
        response = response_to(b"", OpenStreams(), body=body)
        body.afterwards = lambda: stops(lambda: response.interrupt(STOPPING))
        await response({"type": "http"}, client.receive, client.send)

    run(case())


def test_an_ending_that_came_and_was_not_sent_is_no_complete_answer(outcomes: Any) -> None:
    client = Client()
    answer([WORD, A, END], client, lambda stop: stop())
    assert client.body.startswith(WORD + A)
    assert ServerStopping.code.encode() in client.body
    assert not client.is_complete
    assert outcomes() == [ServerStopping.code]


def test_who_is_interrupted_while_two_blocks_wait_sends_the_first_and_then_the_error(outcomes: Any) -> None:
    def stops(stop: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        loop.call_later(1, stop)
        loop.call_later(3, client.room.set)

    client = SlowClient()
    answer([WORD, A, B], client, stops)
    assert client.body.startswith(WORD + A + b'data: {"error"')
    assert outcomes() == [ServerStopping.code]


@cells("way", STREAMS)
@cells("what", ["words", "comments"])
def test_an_upstream_that_goes_on_gives_a_client_that_takes_nothing_no_more_time(way: str, what: str) -> None:
    def later(frames: Frames) -> list[Step]:
        piece = frames.word("z") if what == "words" else b": ping\n\n"
        return [step for _ in range(30) for step in (40.0, piece)]

    caller = Caller(reads_writes=2, leaves_at=900)
    _, _, received = ask_in(way, [Says(words=["w", "x", "y"], then=later)], caller=caller)
    assert (received.receipt["ended"], received.ended_at) == ("client_too_slow", 60.0)


@cells(("leaves_at", "ended", "ended_at"), [(90, "client_left", 90.0), (900, "client_too_slow", 100.0)])
def test_an_end_without_a_block_of_its_own_waits_for_the_last_block_as_long_as_any(
    leaves_at: float, ended: str, ended_at: float
) -> None:
    says = Says(words=["w", "x"], seconds_between=40)
    _, _, received = ask_in("chat text", [says], caller=Caller(reads_writes=1, leaves_at=leaves_at))
    assert (received.receipt["ended"], received.ended_at, received.body) == (ended, ended_at, b"w")
