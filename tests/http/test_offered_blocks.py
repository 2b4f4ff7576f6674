"""A block that is offered leaves at once where the client's side has room for it, without a task; otherwise a task waits."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared.http.outbound import Outbound, OutboundState
from shared.receipt import Receipt
from shared.translation import ErrorEnding
from tests.harness.cells import cells
from tests.harness.virtual_time import run
from tests.http.reading_client import Client, never

ENDING = ErrorEnding(b"error", is_cut=False)


def with_stream(case: Callable[[Outbound, Client], Awaitable[None]]) -> None:
    async def main() -> None:
        client = Client()
        out = Outbound(client.send, Receipt(id="r1", invocation_id="i1", api="openai"))
        await out.commit(200, {})
        await case(out, client)
        out.stop()

    run(main())


def test_a_block_leaves_at_once_and_from_no_task() -> None:
    async def case(out: Outbound, client: Client) -> None:
        asyncio.get_running_loop().call_soon(lambda: taken.append(out.offer(b"a")))
        await asyncio.sleep(1)
        assert (taken, client.bodies, client.tasks) == ([True], [b"a"], [None])
        assert (out.state, out.is_waiting) == (OutboundState.READY, False)
        assert out.last_block == asyncio.get_running_loop().time() - 1

    taken: list[bool] = []
    with_stream(case)


def test_a_client_without_room_gets_the_block_once_it_has_some_and_the_next_is_not_taken_before() -> None:
    async def case(out: Outbound, client: Client) -> None:
        client.has_room.clear()
        assert out.offer(b"a")
        assert (out.is_writing, out.is_waiting, client.bodies) == (True, True, [])
        assert not out.offer(b"b")
        writing = asyncio.ensure_future(out.write(b"b"))
        await asyncio.sleep(1)
        assert client.bodies == []
        client.has_room.set()
        await writing
        assert (client.bodies, out.state) == ([b"a", b"b"], OutboundState.READY)
        assert out.offer(b"c")
        assert client.bodies == [b"a", b"b", b"c"]

    with_stream(case)


@cells("ends", ["finish", "error"])
def test_no_end_comes_before_a_block_that_waits(ends: str) -> None:
    async def case(out: Outbound, client: Client) -> None:
        client.has_room.clear()
        assert out.offer(b"a")
        end = out.finish() if ends == "finish" else out.send_error_ending(ENDING, never)
        ending = asyncio.ensure_future(end)
        await asyncio.sleep(1)
        client.has_room.set()
        await ending
        assert (client.bodies, out.state) == ([b"a", b"" if ends == "finish" else b"error"], OutboundState.CLOSED)

    with_stream(case)


def test_an_answer_that_is_over_gives_up_what_waits() -> None:
    async def case(out: Outbound, client: Client) -> None:
        client.has_room.clear()
        assert out.offer(b"a")
        out.stop()
        client.has_room.set()
        await asyncio.sleep(1)
        assert client.bodies == []
        assert out.is_writing, "it has not left"

    with_stream(case)


def test_what_fails_at_once_is_raised_by_the_offer_and_what_fails_later_by_who_sends_next() -> None:
    async def case(out: Outbound, client: Client) -> None:
        client.has_room.clear()
        assert out.offer(b"a")
        client.failure = OSError("later")
        client.has_room.set()
        with pytest.raises(OSError, match="later"):
            await out.write(b"b")

    async def at_once(out: Outbound, client: Client) -> None:
        client.failure = OSError("at once")
        with pytest.raises(OSError, match="at once"):
            out.offer(b"a")

    with_stream(case)
    with_stream(at_once)


def test_nothing_is_taken_while_a_heartbeat_is_on_its_way_or_before_the_head_or_after_the_end() -> None:
    async def case(out: Outbound, client: Client) -> None:
        client.has_room.clear()
        beating = asyncio.ensure_future(out.heartbeat(b":"))
        await asyncio.sleep(1)
        assert not out.offer(b"a")
        client.has_room.set()
        await beating
        assert out.offer(b"a")
        await out.finish()
        assert not out.offer(b"b")
        assert client.bodies == [b":", b"a", b""]
        assert not Outbound(client.send, Receipt(id="r1", invocation_id="i1", api="openai")).offer(b"a")

    with_stream(case)


def test_a_send_that_is_no_coroutine_is_awaited_by_a_task() -> None:
    async def case(out: Outbound, client: Client) -> None:
        def send(message: Any) -> Awaitable[None]:
            return asyncio.ensure_future(client.send(message))

        other = Outbound(send, Receipt(id="r1", invocation_id="i1", api="openai"))
        await other.commit(200, {})
        assert other.offer(b"a")
        assert other.is_writing
        await other.write(b"b")
        assert client.bodies == [b"a", b"b"]

    with_stream(case)
