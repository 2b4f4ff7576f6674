"""One request from the client to the worker and its response back: who may, where to, and how it ends.

The head of a response waits for its first byte. Data is written in the read that brought it. A response that the worker
does not end cleanly is never ended cleanly for the client.

As in the real host (GrpcWorkerChannel.SendInvocationRequest) the invocation is sent whether or not its HTTP request gets to
the worker, and is not taken back. Three kinds of request leave an invocation that waits for its HTTP request, at most until
functionTimeout, when the worker is killed. Measured on host 4.1037:

- A header value with a control byte (0x01 to 0x1F except TAB, 0x7F) is passed on, and the worker's server answers 400.
- A header value outside ASCII (UTF-8) is not: the host's HTTP client raises. Its client waits until the invocation ends,
  then gets an empty 500.
- A client that goes before its request is passed on: 1 to 4 of 1,000 connections that send and reset at once. Here they
  are more, since each request waits for a new connection to the worker.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from dev.functions_host import answers, heads, keys, log_lines
from dev.functions_host.client_connection import ClientConnection
from dev.functions_host.functions import HttpFunction
from dev.functions_host.invocation import Invocation
from dev.functions_host.request import BodyTooLarge, Headers, Request
from dev.functions_host.state import HostState
from dev.functions_host.trigger_metadata import trigger_metadata
from dev.functions_host.worker_connection import WorkerConnection
from dev.functions_host.worker_process import WorkerProcess

CONNECT_ATTEMPTS = 10
CONNECT_PAUSE_SECONDS = 0.05
MOST_PAUSE_SECONDS = 0.25
MOST_TARGET_BYTES = 8192
"""Kestrel's default for the request line. The worker's server refuses much longer ones, and the invocation would hang."""


class Exchange:
    """Made for a request; begun when it is the connection's turn."""

    def __init__(self, host: HostState, client: ClientConnection, request: Request) -> None:
        self._host, self._client, self._request = host, client, request
        self._task: asyncio.Task[None] | None = None
        self._connection: WorkerConnection | None = None
        self._invocation: Invocation | None = None
        self._idle_timer: asyncio.TimerHandle | None = None
        self._last_activity = 0.0
        self._head: tuple[int, bytes, Headers] | None = None
        self._started = False
        self._chunked = False
        self._over = False
        self._pieces: list[bytes] = []
        self._message = b""

    # What the client's connection calls.

    def begin(self) -> None:
        """From here on it ends by itself."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def client_left(self) -> None:
        """Closes the worker's connection at once, in every phase."""
        self._settle()

    def client_slow(self) -> None:
        """Reads from the worker no faster than the client does."""
        if self._connection is not None:
            self._connection.pause()

    def client_ready(self) -> None:
        """The client has caught up."""
        self._touch()
        if self._connection is not None:
            self._connection.resume()

    # The way there.

    async def _run(self) -> None:
        try:
            own = await answers.own_answer(self._host, self._request)
            if own is not None:
                self._client.answer(own.status, own.body, own.content_type)
                return
            await self._forward()
        except BodyTooLarge:
            self._fail(413)
        except OSError:
            self._fail(500)
        except Exception:
            log_lines.error(f"A mistake of this tool's:\n{traceback.format_exc()}")
            self._fail(500)

    async def _forward(self) -> None:
        if len(self._request.target) > MOST_TARGET_BYTES:
            self._fail(414)
            return
        worker = await self._host.supervisor.worker()
        match = worker.table.find(self._request.method, self._request.path) if worker else None
        if worker is None:
            self._fail(503)
        elif match is None:
            self._fail(404)
        elif not keys.permitted(self._host.key, match.function, self._request):
            self._fail(401)
        else:
            await self._send(worker, match.function, match.parameters)

    async def _send(self, worker: WorkerProcess, function: HttpFunction, parameters: dict[str, str]) -> None:
        limit = self._host.settings.body_limit_bytes
        if (self._request.content_length or 0) > limit:
            raise BodyTooLarge
        body = b"" if self._request.chunked else await self._request.body.whole(limit)
        self._invocation = worker.invoke(function, parameters, self._about(body), self._expire)
        if not heads.forwardable(self._request):
            await self._invocation.ended.wait()
            self._fail(500)
            return
        self._message = heads.worker_request(self._request, self._invocation.id, worker.pool.address, body)
        self._watch_idleness()
        self._use(await self._connect(worker, worker.pool.connection))
        if self._request.chunked:
            await self._stream_body(limit)

    def _about(self, body: bytes) -> dict[str, object]:
        parent, state = self._request.header(b"traceparent"), self._request.header(b"tracestate")
        return {
            "trigger_metadata": trigger_metadata(self._request, body),
            "trace_parent": (parent or b"").decode("latin-1"),
            "trace_state": (state or b"").decode("latin-1"),
        }

    async def _connect(
        self, worker: WorkerProcess, connect: Callable[[], Awaitable[WorkerConnection]]
    ) -> WorkerConnection:
        self._worker = worker
        pause = CONNECT_PAUSE_SECONDS
        for _ in range(CONNECT_ATTEMPTS - 1):
            try:
                return await connect()
            except OSError:
                if not worker.alive:
                    raise
                await asyncio.sleep(pause)
                pause = min(pause * 2, MOST_PAUSE_SECONDS)
        return await connect()

    def _use(self, connection: WorkerConnection) -> None:
        self._connection = connection
        connection.request(self._message, self, self._request.method)
        if self._client.slow:
            connection.pause()

    async def _stream_body(self, limit: int) -> None:
        while not self._over and (piece := await self._request.body.read()):
            limit -= len(piece)
            if limit < 0:
                raise BodyTooLarge
            await self._pass_on(heads.chunk(piece))
        await self._pass_on(heads.LAST_CHUNK)

    async def _pass_on(self, data: bytes) -> None:
        if self._connection is not None and not self._over:
            self._touch()
            self._connection.write(data)
            await self._connection.drained()

    # The way back, told by the worker's connection.

    def on_head(self, status: int, reason: bytes, headers: Headers) -> None:
        """Kept until there is a first byte, or the end."""
        self._head = (status, reason, headers)

    def on_data(self, data: bytes) -> None:
        """Some of the body."""
        self._commit()
        self._pieces.append(heads.chunk(data) if self._chunked else data)

    def on_flushed(self) -> None:
        """All that one read of the worker's connection brought goes out in one write."""
        self._touch()
        self._write()

    def on_end(self) -> None:
        """The worker's response is whole."""
        self._commit()
        if self._chunked:
            self._pieces.append(heads.LAST_CHUNK)
        self._write()
        self._connection = None
        self._settle()
        self._client.finish()

    def on_lost(self) -> None:
        """The worker cut it, or died."""
        reused = self._connection is not None and self._connection.reused
        self._connection = None
        if self._head is None and reused and not self._request.chunked and self._worker.alive:
            # An idle connection that the worker closed just now never carried the request.
            self._task = asyncio.get_running_loop().create_task(self._again())
        else:
            self._fail(500)

    async def _again(self) -> None:
        try:
            self._use(await self._connect(self._worker, self._worker.pool.fresh))
        except OSError:
            self._fail(500)

    def _commit(self) -> None:
        if self._started or self._head is None:
            return
        self._started = True
        status, reason, headers = self._head
        self._chunked = heads.chunked(self._request, status, headers)
        self._pieces.append(self._client.head(status, reason, headers))

    def _write(self) -> None:
        if self._pieces:
            self._client.write(b"".join(self._pieces))
            self._pieces.clear()

    # The endings.

    def _fail(self, status: int) -> None:
        """An empty answer while there can be one, and a cut after that."""
        if self._over:
            return
        self._settle()
        if self._started:
            self._client.cut()
        else:
            self._client.answer(status)

    def _expire(self) -> None:
        """functionTimeout, after the handler returned: only this response is lost."""
        self._fail(500)

    def _settle(self) -> None:
        """Nothing more comes from the worker, and nothing more goes there."""
        self._over = True
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
        if self._invocation is not None:
            self._invocation.forwarded()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    def _touch(self) -> None:
        self._last_activity = asyncio.get_running_loop().time()

    def _watch_idleness(self) -> None:
        self._touch()
        self._idle_timer = asyncio.get_running_loop().call_later(self._host.idle_seconds, self._check_idleness)

    def _check_idleness(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = self._last_activity + self._host.idle_seconds
        if loop.time() >= deadline:
            self._fail(500)
        else:
            self._idle_timer = loop.call_at(deadline, self._check_idleness)
