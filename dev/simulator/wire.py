"""HTTP/1.1 over TCP with control of every byte: it reads requests, writes given bytes, and detects disconnects at once.

It knows nothing of OpenAI. A ready-made server would hide what matters here: where a write ends, whether a connection
closes cleanly or with a reset, and the moment the other side is gone (RFC 9112; RFC 9293 section 3.10.7.4 for resets).
"""

import asyncio
import itertools
import socket
import struct
import sys
import traceback
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import parse_qsl, unquote

import httptools

from dev.simulator.records import MOST_BODY_BYTES, Record

WRITE_BUFFER_BYTES = 16 * 1024
SLICE_BYTES = 16 * 1024
SOCKET_SEND_BUFFER_BYTES = 64 * 1024
FLUSH_POLL_SECONDS = 0.005

_BYTES_ACKED = 120
"""Where `tcpi_bytes_acked` is in Linux's `struct tcp_info`: https://github.com/torvalds/linux/blob/master/include/uapi/linux/tcp.h"""

_connection_numbers = itertools.count(1)


class Exchange:
    """One request, and low-level methods to answer it. The application's coroutine is cancelled when the client disconnects."""

    def __init__(self, connection: "Connection", record: Record, body: bytes, *, keep_alive: bool) -> None:
        self.record = record
        self.method = record.method
        self.path = unquote(record.path)
        self.query = dict(parse_qsl(record.query, keep_blank_values=True))
        self.headers = record.headers
        self.body = body
        self.keep_alive = keep_alive
        self._connection = connection

    async def send(self, data: bytes) -> None:
        """Write one piece in one write, and wait while the client does not read."""
        for start in range(0, len(data), SLICE_BYTES):
            piece = data[start : start + SLICE_BYTES] if len(data) > SLICE_BYTES else data
            self._connection.write(piece)
            self.record.sent(len(piece))
            if self._connection.paused is not None:
                await self._connection.writable(self.record)

    async def flushed(self) -> None:
        """Return when the kernel has every byte; at once, without suspending, if it already has.

        If it suspended, a client that has read its complete answer and disconnected would be recorded as gone.
        """
        while self._connection.transport.get_write_buffer_size():  # noqa: ASYNC110 - the loop has no notification for it
            await asyncio.sleep(FLUSH_POLL_SECONDS)

    async def complete(self) -> None:
        await self.flushed()
        self.record.end("complete")

    async def close(self) -> None:
        """End the connection with a FIN, even if the answer is incomplete."""
        await self.flushed()
        self.record.end("cut_by_us")
        self.keep_alive = False
        self._connection.transport.close()

    async def reset(self) -> None:
        """End the connection with a RST (SO_LINGER with zero seconds, socket(7))."""
        await self.flushed()
        self.record.end("cut_by_us")
        self.keep_alive = False
        self._connection.set_option(socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.transport.abort()

    def set_send_buffer(self, size: int) -> None:
        self._connection.set_option(socket.SO_SNDBUF, size)


Application = Callable[[Exchange], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One TCP connection. Requests are answered one at a time, in order of arrival."""

    transport: asyncio.Transport

    def __init__(self, name: str, application: Application, connections: "set[Connection]") -> None:
        self._name = name
        self._application = application
        self._connections = connections
        self._number = next(_connection_numbers)
        self._written = self._written_before = 0
        """Bytes in all, and those before the answer under way."""
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[tuple[Record, bytes, bool]] = deque()
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self.paused: asyncio.Future[None] | None = None

    # Transport callbacks.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's class has the same interface
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refuse()
        except httptools.HttpParserError:
            self._refuse()

    def eof_received(self) -> None:
        """Treat a half-closed connection as a disconnect: no HTTP client half-closes and continues to read."""
        self._gone()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason does not matter
        self._connections.discard(self)
        self._gone()

    def pause_writing(self) -> None:
        self.paused = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        paused, self.paused = self.paused, None
        if paused is not None and not paused.done():
            paused.set_result(None)

    async def writable(self, record: Record) -> None:
        while self.paused is not None:
            record.blocked()
            try:
                await asyncio.shield(self.paused)
            finally:
                record.unblocked()

    def write(self, data: bytes) -> None:
        self.transport.write(data)
        self._written += len(data)

    def set_option(self, option: int, value: int | bytes) -> None:
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, option, value)

    def close_when_idle(self) -> None:
        if self._exchange is None:
            self.transport.close()
        else:
            self._exchange.keep_alive = False

    # Parser callbacks.

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._headers.get("expect", "").lower() == "100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path, _, query = self._url.decode("latin-1").partition("?")
        body = bytes(self._body)
        record = Record(
            backend=self._name,
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            query=query,
            headers=self._headers,
            body=body[:MOST_BODY_BYTES].decode(errors="replace"),
            connection=self._number,
        )
        self._waiting.append((record, body, self._parser.should_keep_alive()))
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._answer_all())

    # Answering.

    async def _answer_all(self) -> None:
        while self._waiting:
            record, body, keep_alive = self._waiting.popleft()
            self._written_before = self._written
            self._exchange = exchange = Exchange(self, record, body, keep_alive=keep_alive)
            try:
                await self._application(exchange)
            except Exception:  # a bug must be reported, and must not end the process
                traceback.print_exc(file=sys.stderr)
                exchange.keep_alive = False
            record.end("complete")
            self._exchange = None
            if not exchange.keep_alive:
                self.transport.close()
                break
        self._task = None

    def _gone(self) -> None:
        if self._exchange is not None:
            unsent = self.transport.get_write_buffer_size()
            if self._exchange.record.ended == "open":
                self._exchange.record.bytes_sent -= unsent
                self._exchange.record.acknowledged(self._acknowledged())
            self._exchange.record.end("client_gone")
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _acknowledged(self) -> int | None:
        """Return how many bytes of the answer under way the other end has acknowledged; None where nobody knows."""
        try:
            info = self.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
            (acknowledged,) = struct.unpack_from("Q", info, _BYTES_ACKED)
        except (AttributeError, NotImplementedError, OSError, struct.error):
            return None
        return int(acknowledged) - self._written_before

    def _refuse(self) -> None:
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        self.transport.close()
