"""How an answer that nobody wants any more ends for its upstream: at once, whatever that does, and what had arrived counts."""

import asyncio
import select
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop

from shared.errors import UpstreamCut
from shared.upstream.connections import Response, new_connector
from shared.upstream.response_body import ResponseBody
from tests.certificates import write_certificate
from tests.harness.cells import cells

type Run = Callable[[Any], Any]
LOOPS: list[Run] = [asyncio.run, uvloop.run]
HOST = "127.0.0.1"
PATIENCE_SECONDS = 15.0
"""Half of what uvloop waits for the other side's goodbye."""


class TalkingServer:
    """Answers one request in a thread of its own, writes on until it cannot any more, and never reads again."""

    def __init__(self, certificate: Path | None = None) -> None:
        self._listener = socket.create_server((HOST, 0))
        self._certificate = certificate
        self.may_say_more, self.has_said_more = threading.Event(), threading.Event()
        self.may_go_on, self.ended = threading.Event(), threading.Event()
        self.url = f"http{'s' if certificate else ''}://{HOST}:{self._listener.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._answer, daemon=True)
        self._thread.start()

    def _answer(self) -> None:
        connection, _ = self._listener.accept()
        if self._certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            connection = context.wrap_socket(connection, server_side=True)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        self.may_say_more.wait(PATIENCE_SECONDS)
        connection.sendall(b"4\r\nmore\r\n")
        self.has_said_more.set()
        self.may_go_on.wait(PATIENCE_SECONDS)
        try:
            while True:
                connection.sendall(b"4\r\nlate\r\n")
                self.ended.wait(0.01)
        except OSError:
            self.ended.set()
        connection.close()
        self._listener.close()


def with_answer(run: Run, server: TalkingServer, case: Callable[[ResponseBody], Awaitable[None]]) -> None:
    """Ask, read the first piece and go on."""

    async def main() -> None:
        trusted = ssl.create_default_context()
        trusted.check_hostname, trusted.verify_mode = False, ssl.CERT_NONE
        async with aiohttp.ClientSession(connector=new_connector(), response_class=Response) as session:
            body = ResponseBody(await session.get(server.url, ssl=trusted))
            assert (await body.read()).startswith(b"first")
            try:
                await case(body)
            finally:
                body.close()

    run(main())


@cells("run", LOOPS)
def test_what_had_arrived_when_the_upstream_was_told_is_read_and_nothing_else(run: Run) -> None:
    server = TalkingServer()

    async def case(body: ResponseBody) -> None:
        connection = body._response.connection
        assert connection is not None
        assert connection.transport is not None
        arrived = select.poll()
        arrived.register(connection.transport.get_extra_info("socket").fileno(), select.POLLIN)
        server.may_say_more.set()
        assert server.has_said_more.wait(PATIENCE_SECONDS)
        assert arrived.poll(PATIENCE_SECONDS * 1000), "the loop stands still: the kernel alone has it"
        body.hang_up()
        server.may_go_on.set()
        assert server.ended.wait(PATIENCE_SECONDS), "before the loop has had a turn"
        assert await body.read() == b"more"
        with pytest.raises(UpstreamCut):
            await body.read()

    with_answer(run, server, case)


@pytest.mark.parametrize("run", LOOPS)
def test_an_upstream_that_only_writes_is_closed_at_once_over_tls_too(run: Run, tmp_path: Path) -> None:
    server = TalkingServer(write_certificate(tmp_path / "server.pem", HOST))
    server.may_say_more.set()
    server.may_go_on.set()

    async def case(body: ResponseBody) -> None:
        body.close()
        assert await asyncio.to_thread(server.ended.wait, PATIENCE_SECONDS)

    with_answer(run, server, case)


@cells("run", LOOPS)
def test_who_hangs_up_twice_or_too_late_disturbs_nothing(run: Run) -> None:
    server = TalkingServer()

    async def case(body: ResponseBody) -> None:
        body.hang_up()
        body.hang_up()
        body.close()
        body.hang_up()

    with_answer(run, server, case)
    server.may_say_more.set()
    server.may_go_on.set()
    assert server.ended.wait(PATIENCE_SECONDS)
