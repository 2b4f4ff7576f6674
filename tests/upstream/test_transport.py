"""The transport against servers that misbehave: what is reused, what is given up at once, what a failure becomes."""

import asyncio
import errno
import gzip
import os
import resource
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx2
import pytest
import uvloop

from shared.errors import (
    AnswerError,
    OutOfResources,
    UpstreamCut,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamFrameTooLarge,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from shared.upstream import transport as transports
from shared.upstream.connect_errors import connect_error
from shared.upstream.response_body import UnframedBody, is_unframed_json
from shared.upstream.transport import MAX_BUFFERED_BYTES, AiohttpTransport, body_of
from tests.harness.cells import cells
from tests.upstream.loopback import EVENTS, JSON, OK, Replies, read_request, response, serving

type Run = Callable[[Any], Any]
LOOPS: list[Run] = [asyncio.run, uvloop.run]
BODY_BYTES = 12 * 1024 * 1024


async def ask(transport: AiohttpTransport, url: str, *, method: str = "POST", body: bytes = b"{}") -> httpx2.Response:
    return await transport.handle_async_request(httpx2.Request(method, f"{url}/v1/x", content=body))


async def read_all(reply: httpx2.Response) -> bytes:
    body, found = body_of(reply), b""
    try:
        while data := await body.read():
            found += data
    finally:
        body.close()
    return found


def with_transport[T](run: Run, case: Callable[[AiohttpTransport], Awaitable[T]]) -> T:
    async def main() -> T:
        transport = AiohttpTransport()
        try:
            return await case(transport)
        finally:
            await transport.aclose()

    result: T = run(main())
    return result


def failure_of(handler: Any, *, method: str = "POST") -> AnswerError:
    async def case(transport: AiohttpTransport) -> AnswerError:
        async with serving(handler) as url:
            with pytest.raises(AnswerError) as caught:
                await read_all(await ask(transport, url, method=method))
            return caught.value

    return with_transport(asyncio.run, case)


@cells("run", LOOPS)
def test_a_kept_connection_is_used_again(run: Run) -> None:
    async def case(transport: AiohttpTransport) -> None:
        server = Replies([response()])
        async with serving(server) as url:
            for _ in range(3):
                assert await read_all(await ask(transport, url)) == OK
            assert server.connections == 1

    with_transport(run, case)


@cells("run", LOOPS)
def test_an_open_answer_holds_neither_head_nor_the_token_in_it(run: Run) -> None:
    async def case(transport: AiohttpTransport) -> None:
        async with serving(Replies([response(headers=JSON + "x-ms-region: Sweden\r\n")])) as url:
            reply = await ask(transport, url)
            assert reply.headers["x-ms-region"] == "Sweden"
            held = reply.extensions["aiohttp.response"]
            assert (dict(held.headers), held.raw_headers, dict(held.request_info.headers)) == ({}, (), {})
            assert await read_all(reply) == OK

    with_transport(run, case)


@cells("run", LOOPS)
@cells("is_read", [True, False], ids=["the loop has read it", "the kernel has it"])
def test_a_kept_connection_with_bytes_waiting_is_not_used_again(run: Run, is_read: bool) -> None:
    async def case(transport: AiohttpTransport) -> None:
        foreign = response(b'{"id":"of another caller"}')
        rest: list[asyncio.StreamWriter] = []
        connections = 0

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            while True:
                await read_request(reader)
                writer.write(response())
                rest.append(writer)

        async with serving(handle) as url:
            await read_all(await ask(transport, url))
            rest[0].get_extra_info("socket")
            rest[0].write(foreign)  # written at once: the kernel has it before the next line
            if is_read:
                await asyncio.sleep(0.1)
            assert await read_all(await ask(transport, url)) == OK
            assert connections == 2

    with_transport(run, case)


@cells("run", LOOPS)
def test_a_kept_connection_that_the_server_has_closed_is_not_used_again(run: Run) -> None:
    async def case(transport: AiohttpTransport) -> None:
        async with serving(Replies([response()], closes=True)) as url:
            for _ in range(3):
                assert await read_all(await ask(transport, url)) == OK

    with_transport(run, case)


class CountingServer:
    """A thread that takes connections and reads so many bytes a second: apart from the loop, as a real upstream is."""

    def __init__(self, bytes_per_second: float, *, early: bytes = b"") -> None:
        self._chunk, self._early = int(bytes_per_second / 50), early
        self.received = 0
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        pause = threading.Event()
        with connection:
            try:
                if self._early:
                    self.received += len(connection.recv(1024))
                    connection.sendall(self._early)
                while data := connection.recv(self._chunk):
                    self.received += len(data)
                    pause.wait(0.02)
            except OSError:
                pass
        self.ended.set()

    def close(self) -> None:
        self._listener.close()


@cells("run", LOOPS)
@cells("size", [BODY_BYTES, 1024 * 1024], ids=["more than the kernel takes", "all in the kernel"])
def test_a_caller_that_leaves_while_its_body_goes_up_aborts_the_connection(run: Run, size: int) -> None:
    async def case(transport: AiohttpTransport) -> None:
        server = CountingServer(size / 6)
        asking = asyncio.create_task(ask(transport, server.url, body=b"x" * size))
        await asyncio.sleep(0.3)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await asyncio.to_thread(server.ended.wait, 20)
        assert server.received < size * 3 / 4, "what the receiving kernel had, and no more"
        server.close()

    with_transport(run, case)


@cells("run", LOOPS)
def test_an_error_response_that_comes_before_the_body_has_gone_up_stops_it(run: Run) -> None:
    async def case(transport: AiohttpTransport) -> None:
        server = CountingServer(2_000_000, early=response(b"{}", status="413 Too Large"))
        with pytest.raises(UpstreamErrorResponse):
            await ask(transport, server.url, body=b"x" * BODY_BYTES)
        assert await asyncio.to_thread(server.ended.wait, 20)
        assert server.received < BODY_BYTES * 3 / 4
        server.close()

    with_transport(run, case)


def test_closing_ends_in_time_though_an_upstream_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transports, "CLOSE_SECONDS", 0.1)

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async def case() -> None:
        async with serving(deaf) as url, asyncio.timeout(10):
            transport = AiohttpTransport()
            asking = asyncio.create_task(ask(transport, url, body=b"x" * BODY_BYTES))
            await asyncio.sleep(0.2)
            await transport.aclose()
            await transport.aclose()
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(case())


@cells("status", ["404 Not Found", "503 Busy", "600 Odd", "999 Odd", "302 Found", "199 Odd"])
def test_a_response_other_than_2xx_is_an_error_response(status: str) -> None:
    failure = failure_of(Replies([response(b'{"error":{"message":"m","code":"c"}}', status=status)], closes=True))
    number = int(status[:3])
    if number == 199:  # an interim response, after which the connection breaks off
        assert isinstance(failure, UpstreamFailure)
        return
    assert isinstance(failure, UpstreamErrorResponse)
    assert failure.status == (number if 400 <= number <= 599 else 502)
    assert failure.__cause__ is None


@cells("headers", [b"upgrade: x", b"connection: upgrade\r\nupgrade: websocket"])
@cells("run", LOOPS)
def test_a_switch_of_protocols_is_a_bad_gateway_and_its_connection_closed(run: Run, headers: bytes) -> None:
    async def case(transport: AiohttpTransport) -> None:
        left = asyncio.Event()

        async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\n" + headers + b"\r\n\r\n")
            with suppress(OSError):
                await reader.read()
            left.set()

        async with serving(switch) as url:
            with pytest.raises(UpstreamErrorResponse) as caught:
                await ask(transport, url)
            assert caught.value.status == 502
            await asyncio.wait_for(left.wait(), 5)

    with_transport(run, case)


ODD_HEADERS = {
    "a charset that is not the body's": "content-type: application/json; charset=utf-16\r\n",
    "a charset that does not exist": "content-type: application/json; charset=nope\r\n",
    "an impossible date": "retry-after: Mon, 01 Jan 2020 00:00:00 +99999999999999\r\n",
    "an impossible year": "retry-after: Mon, 01 Jan 99999999999999999999 00:00:00 GMT\r\n",
    "a date that is none": "retry-after: Mon, 99 Foo 2020 99:99:99 GMT\r\n",
    "bytes outside ASCII": "retry-after: \xe9\r\ncontent-type: \xff\r\n",
    "control bytes": "retry-after: \x01\r\nx-request-id: \x1b\r\n",
    "a bad compression": "content-encoding: gzip\r\n",
}


@cells("name", ODD_HEADERS)
def test_an_error_response_may_move_whatever_its_headers_say(name: str) -> None:
    failure = failure_of(
        Replies([response(b'{"error":{"message":"SECRET"}}', status="429 No", headers=ODD_HEADERS[name])])
    )
    assert isinstance(failure, UpstreamFailure)
    assert failure.is_retryable
    assert failure.pause_seconds is None
    assert failure.__cause__ is None
    assert failure.__suppress_context__ or failure.__context__ is None


def test_an_error_response_that_cannot_be_read_may_move(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> UpstreamErrorResponse:
        raise OverflowError("SECRET")

    monkeypatch.setattr(transports, "error_from_status", fail)
    failure = failure_of(Replies([response(status="400 No")]))
    assert (failure.status, isinstance(failure, UpstreamFailure) and failure.is_retryable) == (502, True)
    assert "SECRET" not in str(failure)


def test_half_an_error_response_explains_nothing() -> None:
    for body in (
        b'{"error":{"message":"' + b"x" * MAX_BUFFERED_BYTES,
        gzip.compress(b" " * MAX_BUFFERED_BYTES + b"{}"),
    ):
        headers = JSON if body.startswith(b"{") else f"{JSON}content-encoding: gzip\r\n"
        failure = failure_of(Replies([response(body, status="400 No", headers=headers)]))
        assert isinstance(failure, UpstreamErrorResponse)
        assert failure.raw_body is None


def test_an_answer_to_a_delete_that_is_too_large_is_none() -> None:
    exact = b" " * (MAX_BUFFERED_BYTES - len(OK)) + OK
    assert isinstance(failure_of(Replies([response(exact + b" ")]), method="DELETE"), UpstreamFrameTooLarge)

    async def case(transport: AiohttpTransport) -> bytes:
        async with serving(Replies([response(exact)])) as url:
            return (await ask(transport, url, method="DELETE")).content

    assert with_transport(asyncio.run, case) == exact


CONNECTION_FAILURES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "connection closed without a response"),
    "no HTTP": (b"\x00\x01\x02\r\n\r\n", "the response is not HTTP, or its head is too large"),
    "an endless head": (
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000 + b"\r\n\r\n",
        "the response is not HTTP, or its head is too large",
    ),
}


@cells("name", CONNECTION_FAILURES)
def test_a_failed_connection_says_why_to_the_log_only(name: str) -> None:
    reply, cause = CONNECTION_FAILURES[name]
    failure = failure_of(Replies([reply], closes=True))
    assert isinstance(failure, UpstreamUnreachable)
    assert (failure.cause, failure.message) == (cause, "The model's service could not be reached.")


def refused(url: str) -> UpstreamFailure:
    async def case(transport: AiohttpTransport) -> UpstreamFailure:
        with pytest.raises(UpstreamFailure) as caught:
            await ask(transport, url)
        return caught.value

    return with_transport(asyncio.run, case)


def test_a_refused_connection_and_an_unknown_name_are_told_apart() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert refused(f"http://127.0.0.1:{silent.getsockname()[1]}").cause == "connection refused"
    assert refused("http://no-such-host.invalid").cause == "name not known"


def test_a_server_without_tls_is_a_failed_handshake() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(response(status="400 Bad Request"))

    async def case(transport: AiohttpTransport) -> UpstreamFailure:
        async with serving(plain) as url:
            with pytest.raises(UpstreamFailure) as caught:
                await ask(transport, url.replace("http:", "https:"))
            return caught.value

    assert with_transport(asyncio.run, case).cause in ("TLS handshake failed", "connection reset")


@cells(
    ("error", "kind", "cause"),
    [
        (TimeoutError(), UpstreamTimeout, "no connection in time"),
        (OSError(errno.EHOSTUNREACH, "secret 10.0.0.1"), UpstreamUnreachable, "no route to the host"),
        (OSError("secret 10.0.0.1"), UpstreamUnreachable, "OSError"),
        (ssl.SSLCertVerificationError(1, "secret"), UpstreamUnreachable, "TLS certificate not accepted"),
    ],
)
def test_a_cause_is_a_phrase_of_ours(error: Exception, kind: type[UpstreamFailure], cause: str) -> None:
    failure = connect_error(error)
    assert isinstance(failure, kind)
    assert failure.cause == cause


@cells("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_process_that_is_out_of_resources_blames_no_backend(number: int) -> None:
    failure = connect_error(OSError(number, os.strerror(number)))
    assert isinstance(failure, OutOfResources)
    assert (failure.status, failure.is_about_backend) == (503, False)


@contextmanager
def no_file_descriptors() -> Iterator[None]:
    """This process can open nothing more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken[0] + 50, 200), hard))
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for number in taken:
            os.close(number)


@cells("run", LOOPS)
@cells("host", ["127.0.0.2", "localhost", "no-such-host.invalid"])
def test_a_process_without_file_descriptors_answers_503(run: Run, host: str) -> None:
    async def case(transport: AiohttpTransport) -> None:
        async with serving(Replies([response()])) as url:
            await read_all(await ask(transport, url))
            with no_file_descriptors(), pytest.raises(OutOfResources):
                await ask(transport, url.replace("127.0.0.1", host))

    with_transport(run, case)


UNFRAMED = b"HTTP/1.1 200 OK\r\n" + JSON.encode() + b"\r\n"


def read_unframed(reply: bytes) -> bytes:
    async def case(transport: AiohttpTransport) -> bytes:
        async with serving(Replies([reply], closes=True)) as url:
            answer = await ask(transport, url)
            assert is_unframed_json(answer.headers)
            body, found = UnframedBody(body_of(answer)), b""
            while data := await body.read():
                found += data
            assert body.at_end()
            body.close()
            return found

    return with_transport(asyncio.run, case)


@cells("body", [b'{"id":"c1"}', b'{"x":NaN}', b"[" * 100_000 + b"]" * 100_000, b""])
def test_json_without_a_length_is_complete_where_it_parses(body: bytes) -> None:
    assert read_unframed(UNFRAMED + body) == body


@cells("body", [b'{"id":"c1"', b'{"id":"c1","choices":[{"message":{"content":"Hel', b"nope"])
def test_json_without_a_length_that_ends_early_is_a_cut(body: bytes) -> None:
    with pytest.raises(UpstreamCut):
        read_unframed(UNFRAMED + body)


@cells(
    "headers",
    [
        {"content-type": "application/json", "content-length": "5"},
        {"content-type": "application/json", "transfer-encoding": "chunked"},
        {"content-type": "application/json", "content-encoding": "gzip"},
        {"content-type": "text/plain"},
        {},
    ],
)
def test_only_json_that_nothing_delimits_is_checked(headers: dict[str, str]) -> None:
    assert not is_unframed_json(headers)


def test_a_body_that_breaks_off_is_a_cut() -> None:
    broken = f"HTTP/1.1 200 OK\r\n{EVENTS}content-length: 99\r\n\r\ndata: x".encode()
    failure = failure_of(Replies([broken], closes=True))
    assert isinstance(failure, UpstreamCut)
    assert failure.__suppress_context__
