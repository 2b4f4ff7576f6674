"""What arrives of a body is handed over from the event loop's own callback, all of it, once, whatever becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
import uvloop

from shared.errors import UpstreamCut
from shared.upstream import tap
from shared.upstream.call import FlowingBody, Take
from shared.upstream.response_body import BufferedBody, ResponseBody, UnframedBody
from tests.harness.cells import cells
from tests.upstream.loopback import EVENTS, Handler, read_request, serving

HEAD = f"HTTP/1.1 200 OK\r\n{EVENTS}transfer-encoding: chunked\r\n\r\n".encode()
BUFFER_BYTES = 4096
PATIENCE_SECONDS = 20.0


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def numbered(count: int, size: int) -> list[bytes]:
    return [b"%06d" % number + b"x" * size for number in range(count)]


def sending(pieces: list[bytes], *, end: bytes = b"0\r\n\r\n", after: asyncio.Event | None = None) -> Handler:
    """Sends the head and, after the event, the pieces, several chunks in one write; then the end: b'' breaks the connection."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD)
        if after is not None:
            await after.wait()
        for start in range(0, len(pieces), 7):
            writer.write(b"".join(map(chunk, pieces[start : start + 7])))
            await writer.drain()
        writer.write(end)
        await writer.drain()
        if end:
            await reader.read()  # until the client has gone

    return handle


def with_body(handler: Handler, case: Callable[[ResponseBody], Awaitable[None]]) -> None:
    """Ask the handler's server, on the loop that the worker has."""

    async def main() -> None:
        async with (
            serving(handler) as url,
            aiohttp.ClientSession(read_bufsize=BUFFER_BYTES) as session,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            body = ResponseBody(await session.get(url))
            await case(body)
            body.close()

    uvloop.run(main())


def tapped(body: ResponseBody, take: Take, begins: asyncio.Event) -> asyncio.Task[None]:
    """Tap the body, and only then let it begin."""
    tapping = asyncio.ensure_future(body.flow(take))
    asyncio.get_running_loop().call_soon(begins.set)
    return tapping


@cells("enough", [1, 3, 1000], ids=["stops at once", "stops now and then", "never stops"])
@cells(
    "pieces",
    [numbered(300, 20), numbered(60, 3 * BUFFER_BYTES), [b"a", *numbered(200, BUFFER_BYTES // 16)]],
    ids=["small", "larger than the buffer", "many fill the buffer"],
)
def test_everything_comes_once_and_in_order_however_often_the_tapping_stops(pieces: list[bytes], enough: int) -> None:
    got: list[bytes] = []

    def take(data: bytes) -> bool:
        got.append(data)
        return len(got) % enough != 0

    async def case(body: ResponseBody) -> None:
        while True:
            await body.flow(take)
            if not (data := await body.read()):
                return
            got.append(data)

    with_body(sending(pieces), case)
    assert b"".join(got) == b"".join(pieces)


def test_what_is_taken_wakes_no_task() -> None:
    tasks: list[object] = []

    async def case(body: ResponseBody) -> None:
        def take(data: bytes) -> bool:
            tasks.append(asyncio.current_task())
            return b"000009" not in data

        await body.flow(take)

    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(HEAD)
        for piece in numbered(10, 5):
            await asyncio.sleep(0.005)
            writer.write(chunk(piece))
        await reader.read()

    with_body(slowly, case)
    assert tasks
    assert set(tasks) == {None}


def test_what_a_cancelled_tapping_has_not_taken_is_read_afterwards() -> None:
    async def case(body: ResponseBody) -> None:
        got: list[bytes] = []

        def take(data: bytes) -> bool:
            got.append(data)
            tapping.cancel()
            return True

        tapping = tapped(body, take, begins)
        with pytest.raises(asyncio.CancelledError):
            await tapping
        assert got
        while data := await body.read():
            got.append(data)
        assert b"".join(got) == b"".join(pieces)

    pieces, begins = numbered(400, 200), asyncio.Event()
    with_body(sending(pieces, after=begins), case)


@cells("end", [b"", b"not a chunk\r\n\r\n"], ids=["the connection", "the framing"])
def test_what_breaks_while_it_is_tapped_is_raised_by_the_next_read(end: bytes) -> None:
    async def case(body: ResponseBody) -> None:
        got: list[bytes] = []

        def take(data: bytes) -> bool:
            got.append(data)
            return True

        await tapped(body, take, begins)
        with pytest.raises(UpstreamCut):
            await body.read()
        assert b"".join(got) == b"".join(pieces)

    pieces, begins = numbered(20, 50), asyncio.Event()
    with_body(sending(pieces, end=end, after=begins), case)


def test_what_the_taker_raises_is_raised_by_the_tapping() -> None:
    async def case(body: ResponseBody) -> None:
        def take(data: bytes) -> bool:
            raise ValueError(data[:6])

        with pytest.raises(ValueError, match="000000"):
            await tapped(body, take, begins)

    begins = asyncio.Event()
    with_body(sending(numbered(400, 200), after=begins), case)


def test_a_taker_that_fails_in_the_turn_of_a_cancellation_leaves_it_a_cancellation() -> None:
    complaints: list[dict[str, object]] = []

    async def case(body: ResponseBody) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))

        def take(data: bytes) -> bool:
            tapping.cancel()
            raise ValueError(data[:6])

        tapping = tapped(body, take, begins)
        with pytest.raises(asyncio.CancelledError):
            await tapping

    begins = asyncio.Event()
    with_body(sending(numbered(400, 200), after=begins), case)
    assert not complaints


def test_a_reader_of_another_shape_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tap, "IS_SUPPORTED", False)

    async def case(body: ResponseBody) -> None:
        got = b""
        while len(got) < 3 * 11:
            await body.flow(lambda _: pytest.fail("it was tapped"))
            got += await body.read()
        assert got == b"".join(numbered(3, 5))

    with_body(sending(numbered(3, 5)), case)


def test_only_a_plain_body_flows() -> None:
    whole = BufferedBody(b"{}")
    assert not isinstance(whole, FlowingBody)
    assert not isinstance(UnframedBody(whole), FlowingBody)
    assert callable(ResponseBody.flow)
