"""Connections to the worker's own HTTP server: one response at a time, handed on as it arrives, and a pool of idle ones.

It frames nothing and keeps nothing: who listens to a response decides what becomes of it.
"""

import asyncio
import socket
from typing import Protocol, cast

import httptools

from dev.functions_host.request import Headers

FIRST_FINAL_STATUS = 200
RECEIVE_BUFFER_BYTES = 256 * 1024


class ResponseListener(Protocol):
    """Told of a response in this order; a read that does not end the response ends in `on_flushed`."""

    def on_head(self, status: int, reason: bytes, headers: Headers) -> None: ...
    def on_data(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_flushed(self) -> None: ...
    def on_lost(self) -> None:
        """The connection went before the response was whole."""
        ...


class WorkerConnection(asyncio.Protocol):
    """Made by the pool."""

    def __init__(self, pool: "ConnectionPool") -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._listener: ResponseListener | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._ended = False
        self.reused = False

    def request(self, head: bytes, listener: ResponseListener, method: str) -> None:
        """Sends it; its response goes to the listener."""
        self._listener = listener
        self._method = method
        self._ended = False
        self._reason = b""
        self._headers: Headers = []
        self._parser = httptools.HttpResponseParser(self)
        self.write(head)

    def write(self, data: bytes) -> None:
        """More of the request."""
        if self._transport is not None:
            self._transport.write(data)

    async def drained(self) -> None:
        """When the worker takes more."""
        await self._can_write.wait()

    def pause(self) -> None:
        """The client reads slowly: so does this."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """The client has caught up."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Nobody wants the rest."""
        self._listener = None
        if self._transport is not None:
            self._transport.abort()

    @property
    def closing(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def pause_writing(self) -> None:
        self._can_write.clear()

    def resume_writing(self) -> None:
        self._can_write.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        self._can_write.set()
        self._pool.forget(self)
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.on_lost()

    def data_received(self, data: bytes) -> None:
        listener = self._listener
        if listener is None:
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            if not self._ended:
                self.abort()
                listener.on_lost()
                return
        if self._ended:
            self._release(listener)
        else:
            listener.on_flushed()

    def _release(self, listener: ResponseListener) -> None:
        self._listener = None
        if self._parser.should_keep_alive() and self._method != "HEAD" and not self.closing:
            self._pool.give_back(self)
        else:
            self.abort()
        listener.on_end()

    # What the parser calls.

    def on_status(self, status: bytes) -> None:
        self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < FIRST_FINAL_STATUS:
            self._reason, self._headers = b"", []
            return
        if self._listener is not None:
            self._listener.on_head(status, self._reason, self._headers)
        # The parser does not know that a response to HEAD has no body.
        self._ended = self._method == "HEAD"

    def on_body(self, data: bytes) -> None:
        if self._listener is not None and not self._ended:
            self._listener.on_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= FIRST_FINAL_STATUS:
            self._ended = True


class ConnectionPool:
    """Idle connections, the last used first."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self._idle: list[WorkerConnection] = []

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    async def connection(self) -> WorkerConnection:
        """An idle one, else a new one; OSError when the worker takes none."""
        while self._idle:
            idle = self._idle.pop()
            if not idle.closing:
                idle.reused = True
                return idle
        return await self.fresh()

    async def fresh(self) -> WorkerConnection:
        """A new one."""
        loop = asyncio.get_running_loop()
        link = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        # Without a bound the kernel takes megabytes in advance for a client that reads slowly.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        link.setblocking(False)  # noqa: FBT003 - the signature is the standard library's
        try:
            await loop.sock_connect(link, (self.host, self.port))
            _, connection = await loop.create_connection(lambda: WorkerConnection(self), sock=link)
        except BaseException:
            link.close()
            raise
        return connection

    async def reachable(self) -> bool:
        """Whether the worker's server listens yet; the connection is kept for the first request."""
        try:
            self._idle.append(await self.fresh())
        except OSError:
            return False
        return True

    def give_back(self, connection: WorkerConnection) -> None:
        """A response has ended cleanly."""
        connection.resume()
        self._idle.append(connection)

    def forget(self, connection: WorkerConnection) -> None:
        """It is closed."""
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """The worker has gone."""
        for connection in list(self._idle):
            connection.abort()
