"""A request's two halves on their way to the worker, and the response's way back, in this process."""

import asyncio
import re

import pytest

from dev.functions_host import forwarding
from dev.functions_host.connection_pool import ConnectionPool
from dev.functions_host.invocation import Invocation
from dev.functions_host.worker_connection import WorkerConnection
from tests.dev.scripted_worker import OK, Listener, close, running_host, until

GET = b"GET /x HTTP/1.1\r\nhost: h\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi"
CHUNKED = b"POST /x HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"


class NeverConnects(ConnectionPool):
    async def fresh(self) -> WorkerConnection:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow one another without a pause."""
    monkeypatch.setattr(forwarding, "RETRY_SECONDS", (0,) * len(forwarding.RETRY_SECONDS))


def ids(heads: list[bytes]) -> set[bytes]:
    return {found for head in heads for found in re.findall(rb"x-ms-invocation-id: (\S+)", head)}


def test_connections_to_the_worker_are_used_again() -> None:
    async def play() -> int:
        async with running_host() as host:
            for _ in range(10):
                assert (await host.ask(GET)).endswith(b"\r\n\r\nok")
                assert (await host.ask(POST)).endswith(b"\r\n\r\nok")
            return host.worker.connections

    assert asyncio.run(play()) == 1


def test_an_idle_connection_to_the_worker_is_closed() -> None:
    async def play() -> None:
        async with running_host() as host:
            host.worker.pool = ConnectionPool("127.0.0.1", host.worker.pool.port, idle_seconds=0.05)
            await host.ask(GET)
            await host.worker.closed.wait()
            await host.ask(GET)
            assert host.worker.connections == 2

    asyncio.run(play())


@pytest.mark.parametrize("requests", [1, 2], ids=["over a new connection", "over an idle connection"])
def test_the_http_half_goes_before_the_invocation(requests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine may need longer for the connection than the host waits for it.
    monkeypatch.setattr(forwarding, "HEAD_START_SECONDS", 5.0)

    async def play() -> list[bool]:
        came_first = []
        async with running_host() as host:
            for _ in range(requests - 1):
                await host.ask(GET)
            if requests == 1:
                listener = Listener()
                host.worker.pool = ConnectionPool("127.0.0.1", listener.port)
                host.worker.on_invoke = lambda: came_first.append(listener.seen.wait(20))
                _, writer = await host.connect()
                writer.write(GET)
            else:
                host.worker.on_invoke = lambda: came_first.append(host.worker.pool.idle() is None)
                await host.ask(GET)
            await until(lambda: came_first)
        return came_first

    assert asyncio.run(play()) == [True]


def test_the_invocation_is_sent_although_its_client_has_left_and_its_http_half_never_is() -> None:
    async def play() -> None:
        async with running_host() as host:
            host.worker.pool = NeverConnects("127.0.0.1", 0)
            _, writer = await host.connect()
            writer.write(GET)
            await asyncio.sleep(0)
            writer.transport.abort()
            await until(lambda: host.worker.invocations)
            await asyncio.sleep(0.05)
            assert len(host.worker.invocations) == 1
            assert host.worker.heads == []

    asyncio.run(play())


def test_a_request_whose_connection_is_being_opened_is_sent_although_its_client_has_left() -> None:
    """On the real host 996 to 999 of 1,000 that are reset at once are."""
    opened = asyncio.Event()

    class Slow(ConnectionPool):
        async def fresh(self) -> WorkerConnection:
            await opened.wait()
            return await super().fresh()

    async def play() -> None:
        async with running_host(say_nothing) as host:
            host.worker.pool = Slow("127.0.0.1", host.worker.pool.port)
            _, writer = await host.connect()
            writer.write(GET)
            await until(lambda: host.worker.invocations)
            writer.transport.abort()
            await until(lambda: not host.open_connections)
            opened.set()
            await host.worker.closed.wait()
            assert len(host.worker.heads) == 1

    asyncio.run(play())


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("request_", "times"), [(GET, 10), (GET.replace(b"GET", b"DELETE"), 10), (POST, 1), (CHUNKED + b"0\r\n\r\n", 1)]
)
def test_a_request_without_a_body_is_tried_ten_times_with_one_id_and_one_with_a_body_once(
    request_: bytes, times: int
) -> None:
    async def play() -> list[bytes]:
        async with running_host(close) as host:
            assert (await host.ask(request_)).startswith(b"HTTP/1.1 500 ")
            assert len(host.worker.invocations) == 1
            return host.worker.heads

    heads = asyncio.run(play())
    assert len(heads) == times
    assert len(ids(heads)) == 1


def test_the_ten_attempts_are_spread_over_almost_two_seconds() -> None:
    assert len(forwarding.RETRY_SECONDS) == 9
    assert sum(forwarding.RETRY_SECONDS) == pytest.approx(1.85)


@pytest.mark.usefixtures("at_once")
def test_a_connection_that_the_worker_refuses_is_tried_ten_times() -> None:
    async def play() -> int:
        attempts = 0

        class Refused(ConnectionPool):
            async def fresh(self) -> WorkerConnection:
                nonlocal attempts
                attempts += 1
                raise ConnectionRefusedError

        async with running_host() as host:
            host.worker.pool = Refused("127.0.0.1", 0)
            assert (await host.ask(GET)).startswith(b"HTTP/1.1 500 ")
        return attempts

    assert asyncio.run(play()) == 10


@pytest.mark.usefixtures("at_once")
def test_nothing_is_tried_again_when_the_invocation_has_failed() -> None:
    async def play() -> int:
        async with running_host(close) as host:
            host.worker.returns = False

            def fail() -> None:
                asyncio.get_running_loop().call_soon(lambda: host.worker.invocations[0].answered(failed=True))

            host.worker.on_invoke = fail

            assert (await host.ask(GET)).startswith(b"HTTP/1.1 500 ")
            return len(host.worker.heads)

    assert asyncio.run(play()) == 1


@pytest.mark.parametrize("value", ["Grüße".encode(), b"caf\xe9"])
def test_a_response_header_value_outside_ascii_is_an_empty_500(value: bytes) -> None:
    async def script(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK.replace(b"\r\n\r\n", b"\r\nx-region: " + value + b"\r\n\r\n"))

    async def play() -> bytes:
        async with running_host(script) as host:
            return await host.ask(GET)

    assert asyncio.run(play()) == b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.usefixtures("at_once")
def test_a_response_head_of_more_than_64_kib_never_arrives() -> None:
    async def script(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = b"".join(b"x-%d: %s\r\n" % (number, b"v" * 8000) for number in range(9))
        writer.write(OK.replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n"))

    async def play() -> None:
        async with running_host(script) as host:
            assert (await host.ask(GET)).startswith(b"HTTP/1.1 500 ")
            assert len(host.worker.heads) == 10

    asyncio.run(play())


def test_an_answer_is_delivered_when_its_upload_has_ended() -> None:
    async def play() -> None:
        async with running_host() as host:
            reader, writer = await host.connect()
            writer.write(CHUNKED + b"2\r\nhi\r\n")
            await until(lambda: host.worker.heads)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.2)
            writer.write(b"0\r\n\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK\r\n")

    asyncio.run(play())


def test_an_upload_whose_answer_is_complete_is_read_to_its_end() -> None:
    async def play() -> None:
        async with running_host() as host:
            reader, writer = await host.connect()
            writer.write(CHUNKED)
            for _ in range(40):
                writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK\r\n")

    asyncio.run(play())


async def begin(_head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A stream's first chunk, and no more until the host closes the connection."""
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
    await reader.read()


async def say_nothing(_head: bytes, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_silence_in_mid_stream_is_a_reset_and_closes_the_workers_connection() -> None:
    async def play() -> None:
        async with running_host(begin, idle_seconds=0.1) as host:
            reader, writer = await host.connect()
            writer.write(GET)
            await reader.readuntil(b"2\r\nhi\r\n")
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await host.worker.closed.wait()

    asyncio.run(play())


def test_silence_before_the_first_byte_is_a_500_once_the_handler_has_returned() -> None:
    async def play() -> None:
        async with running_host(say_nothing, idle_seconds=0.1) as host:
            host.worker.returns = False
            reader, writer = await host.connect()
            writer.write(GET)
            await host.worker.closed.wait()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.2)
            host.worker.invocations[0].answered(failed=False)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 500 ")

    asyncio.run(play())


def test_at_function_timeout_a_returned_handlers_stream_is_reset_and_the_worker_learns_of_it_when_it_writes() -> None:
    write = asyncio.Event()

    async def script(_head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n")
        writing, closed = asyncio.ensure_future(write.wait()), asyncio.ensure_future(reader.read())
        await asyncio.wait({writing, closed}, return_when=asyncio.FIRST_COMPLETED)
        writer.write(b"2\r\nmo\r\n")
        await closed

    async def play() -> None:
        async with running_host(script) as host:
            host.worker.returns = False
            reader, writer = await host.connect()
            writer.write(GET)
            await reader.readuntil(b"2\r\nhi\r\n")
            (invocation,) = host.worker.invocations
            invocation.answered(failed=False)
            invocation.start_clock(-2, lambda _: pytest.fail("its handler has returned"))
            with pytest.raises(ConnectionResetError):
                await reader.read()
            await asyncio.sleep(0.05)
            assert not host.worker.closed.is_set()
            write.set()
            await host.worker.closed.wait()

    asyncio.run(play())


def test_function_timeout_acts_two_seconds_late(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> float:
        loop = asyncio.get_running_loop()
        waits: list[float] = []
        monkeypatch.setattr(loop, "call_later", lambda seconds, *_: waits.append(seconds))
        Invocation("f", lambda: None).start_clock(30, lambda _: None)
        return waits[0]

    assert asyncio.run(play()) == 32


def test_a_head_that_does_not_end_is_a_408() -> None:
    async def play() -> bytes:
        async with running_host(head_seconds=0.1) as host:
            reader, writer = await host.connect()
            writer.write(GET)
            await reader.readuntil(b"ok")
            await asyncio.sleep(0.2)  # idle, not unfinished
            writer.write(b"GET /x HTTP/1.1\r\nhost: h\r\n")
            return await reader.read()

    assert asyncio.run(play()).startswith(b"HTTP/1.1 408 ")
