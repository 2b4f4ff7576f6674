"""The development host's exchange in this process, between a real client socket and a worker that follows a script."""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

from dev.functions_host.client_connection import ClientConnection
from dev.functions_host.connection_pool import ConnectionPool
from dev.functions_host.exchange import Exchange
from dev.functions_host.functions import FunctionTable, Match
from dev.functions_host.invocation import Invocation
from dev.functions_host.settings import HostSettings
from dev.functions_host.state import HostState
from tests.dev.indexed import function

type Script = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""What the worker's server does about a request, whose head is given."""

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
SECONDS = 10


class ScriptedWorker:
    """In the place of a WorkerProcess and of its supervisor. A handler returns at once unless `returns` is off."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self.table = FunctionTable([function("all", "{*path}")], "")
        self.pool = ConnectionPool("127.0.0.1", 0)
        self.invocations: list[Invocation] = []
        self.heads: list[bytes] = []
        self.connections = 0
        self.closed = asyncio.Event()
        self.returns = True
        self.alive = True
        self.on_invoke: Callable[[], None] = lambda: None

    async def worker(self) -> "ScriptedWorker":
        return self

    def invoke(self, invocation: Invocation, match: Match, about: dict[str, Any]) -> None:
        self.on_invoke()
        self.invocations.append(invocation)
        if self.returns:
            invocation.answered(failed=False)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    try:
                        head = await reader.readuntil(b"\r\n\r\n")
                    except asyncio.LimitOverrunError:
                        # A body. Closing with unread bytes would be a reset, which takes back the answer on its way.
                        while await reader.read(65536):
                            pass
                        return
                    if b" HTTP/1.1\r\n" not in head:
                        continue  # the end of a chunked body
                    self.heads.append(head)
                    if length := re.search(rb"content-length: ([0-9]+)", head):
                        await reader.readexactly(int(length[1]))
                    await self._script(head, reader, writer)
        finally:
            self.closed.set()
            writer.close()


async def answer_ok(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


async def close(_head: bytes, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


class Host:
    """What a test has of a running host."""

    def __init__(self, worker: ScriptedWorker, port: int, open_connections: set[ClientConnection]) -> None:
        self.worker, self._port, self.open_connections = worker, port, open_connections

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, request: bytes) -> bytes:
        """Return all that comes for a request, up to the end of the connection or a sized answer's."""
        reader, writer = await self.connect()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((line[15:] for line in head.split(b"\r\n") if line.startswith(b"content-length:")), b"0")
        body = await reader.readexactly(int(length))
        writer.close()
        return head + body


@contextlib.asynccontextmanager
async def running_host(
    script: Script = answer_ok, *, idle_seconds: float = SECONDS, head_seconds: float = SECONDS
) -> AsyncIterator[Host]:
    """Bounded in time."""
    worker = ScriptedWorker(script)
    state = HostState(HostSettings(Path(), {}), cast(Any, worker), None, idle_seconds)
    loop = asyncio.get_running_loop()

    def connection() -> ClientConnection:
        return ClientConnection(
            lambda client, request: Exchange(state, client, request), state.connections, head_seconds=head_seconds
        )

    async with asyncio.timeout(SECONDS):
        behind = await asyncio.start_server(worker.serve, "127.0.0.1", 0)
        worker.pool = ConnectionPool("127.0.0.1", behind.sockets[0].getsockname()[1])
        front = await loop.create_server(connection, "127.0.0.1", 0)
        try:
            yield Host(worker, front.sockets[0].getsockname()[1], state.connections)
        finally:
            front.close()
            behind.close()
            worker.pool.close()
            for one in list(state.connections):
                one.abort()


async def until(look: Callable[[], object]) -> None:
    """Return as soon as `look` sees something."""
    while not look():  # noqa: ASYNC110 - what is looked at has no event
        await asyncio.sleep(0.01)


class Listener:
    """A server of one connection on a thread of its own: `seen` is set when a request is in its socket."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.seen = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        connection, _ = self._server.accept()
        while connection.recv(65536):
            self.seen.set()
