"""Where many streams are open, text that comes right after a write leaves with what follows; nothing else ever waits."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from shared.http.open_streams import SHORTEST_WINDOW_SECONDS, OpenStreams
from shared.http.outbound import MOST_HELD_BYTES, Outbound
from shared.receipt import Receipt
from shared.translation import ErrorEnding
from tests.harness.cells import cells
from tests.harness.virtual_time import run
from tests.http.reading_client import Client, never

WINDOW_SECONDS = 0.03


@dataclass
class Crowd:
    write_window: float = WINDOW_SECONDS


def in_a_crowd(case: Callable[[Outbound, Client], Awaitable[None]], window: float = WINDOW_SECONDS) -> None:
    """With a stream whose head has just been sent."""

    async def main() -> None:
        client = Client()
        out = Outbound(client.send, Receipt(id="r1", invocation_id="i1", api="openai"), Crowd(window))
        await out.commit(200, {})
        await out.write(b"0")
        await case(out, client)
        out.stop()

    run(main())


def test_what_comes_within_the_window_leaves_in_one_write_when_it_is_over() -> None:
    async def case(out: Outbound, client: Client) -> None:
        begun = asyncio.get_running_loop().time()
        for block in (b"a", b"b", b"c"):
            assert out.offer(block, can_wait=True)
            await asyncio.sleep(0.009)
        assert client.bodies == [b"0"]
        await asyncio.sleep(0.01)
        assert client.bodies == [b"0", b"abc"]
        assert out.last_block == pytest.approx(begun + WINDOW_SECONDS)
        assert not out.has_unsent

    in_a_crowd(case)


def test_what_comes_after_the_window_leaves_at_once() -> None:
    async def case(out: Outbound, client: Client) -> None:
        for number in range(3):
            await asyncio.sleep(WINDOW_SECONDS)
            assert out.offer(b"%d" % number, can_wait=True)
            assert client.bodies[-1] == b"%d" % number

    in_a_crowd(case)


@cells(("window", "can_wait"), [(0.0, True), (WINDOW_SECONDS, False)], ids=["no crowd", "an ending"])
def test_nothing_is_held_back_without_a_crowd_and_no_ending_with_one(window: float, can_wait: bool) -> None:
    async def case(out: Outbound, client: Client) -> None:
        assert out.offer(b"a", can_wait=can_wait)
        assert out.offer(b"b", can_wait=can_wait)
        assert client.bodies == [b"0", b"a", b"b"]

    in_a_crowd(case, window)


def test_no_more_is_held_back_than_a_model_says_in_a_window_and_the_client_is_felt() -> None:
    async def case(out: Outbound, client: Client) -> None:
        block = b"x" * (MOST_HELD_BYTES // 3)
        assert out.offer(block, can_wait=True)
        assert out.offer(block, can_wait=True)
        assert client.bodies == [b"0"]
        client.has_room.clear()
        assert out.offer(2 * block, can_wait=True)
        assert out.is_waiting
        assert not out.offer(block, can_wait=True)
        client.has_room.set()
        await out.write(block)
        assert client.bodies == [b"0", 4 * block, block]
        assert out.offer(4 * block, can_wait=True)
        assert client.bodies[-1] == 4 * block

    in_a_crowd(case)


def test_an_ending_takes_along_what_was_held_back() -> None:
    async def case(out: Outbound, client: Client) -> None:
        assert out.offer(b"a", can_wait=True)
        assert out.offer(b"b", can_wait=False)
        assert client.bodies == [b"0", b"ab"]
        await asyncio.sleep(1)
        assert client.bodies == [b"0", b"ab"], "once"

    in_a_crowd(case)


@cells("sends", ["write", "flush", "finish", "error", "cut"])
def test_whatever_is_sent_next_comes_after_what_was_held_back(sends: str) -> None:
    async def case(out: Outbound, client: Client) -> None:
        assert out.offer(b"a", can_wait=True)
        assert out.has_unsent
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "write": lambda: out.write(b"b"),
            "flush": out.flush,
            "finish": out.finish,
            "error": lambda: out.send_error_ending(ErrorEnding(b"e", is_cut=False), never),
            "cut": lambda: out.send_error_ending(ErrorEnding(b"", is_cut=True), never),
        }
        await ways[sends]()
        last = {"write": b"ab", "flush": b"a", "finish": b"a", "error": b"ae", "cut": b"a"}[sends]
        assert client.bodies == [b"0", last]
        await asyncio.sleep(1)
        assert client.bodies == [b"0", last]
        assert not out.has_unsent

    in_a_crowd(case)


def test_a_client_without_room_gets_what_was_held_back_in_order() -> None:
    async def case(out: Outbound, client: Client) -> None:
        assert out.offer(b"a", can_wait=True)
        client.has_room.clear()
        await asyncio.sleep(1)
        assert (client.bodies, out.is_waiting) == ([b"0"], True)
        assert not out.offer(b"b", can_wait=True)
        writing = asyncio.ensure_future(out.write(b"b"))
        await asyncio.sleep(1)
        client.has_room.set()
        await writing
        assert client.bodies == [b"0", b"a", b"b"]

    in_a_crowd(case)


def test_a_failure_when_the_window_is_over_is_raised_by_who_sends_next() -> None:
    async def case(out: Outbound, client: Client) -> None:
        assert out.offer(b"a", can_wait=True)
        client.failure = OSError("it went")
        await asyncio.sleep(1)
        assert not out.offer(b"b", can_wait=True)
        with pytest.raises(OSError, match="it went"):
            await out.write(b"b")

    in_a_crowd(case)


def test_an_answer_that_is_over_drops_what_was_held_back() -> None:
    async def case(out: Outbound, client: Client) -> None:
        assert out.offer(b"a", can_wait=True)
        out.stop()
        await asyncio.sleep(1)
        assert client.bodies == [b"0"]

    in_a_crowd(case)


class Stream:
    def interrupt(self, reason: object) -> None: ...


@cells(
    ("count", "longest", "window"),
    [(1, 0.03, 0.0), (33, 0.03, 0.0), (50, 0.03, 0.015), (100, 0.03, 0.03), (500, 0.03, 0.03), (500, 0.0, 0.0)],
)
def test_the_window_opens_with_the_number_of_open_streams(count: int, longest: float, window: float) -> None:
    streams, all_of_them = OpenStreams(longest_window=longest), [Stream() for _ in range(count)]
    for stream in all_of_them:
        streams.begin(stream)
    assert streams.write_window == pytest.approx(window)
    assert not 0 < streams.write_window < SHORTEST_WINDOW_SECONDS


def test_the_window_closes_when_the_crowd_has_gone() -> None:
    streams = OpenStreams(longest_window=0.03)
    with ExitStack() as requests:
        for _ in range(40):
            stream = Stream()
            requests.enter_context(streams.request(stream))
            streams.begin(stream)
        assert streams.write_window > 0
    assert streams.write_window == 0
