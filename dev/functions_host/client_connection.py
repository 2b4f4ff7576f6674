"""A client's connection: requests in, their answers out, in order; whether it stays open is decided here.

It knows no worker. A client that leaves is reported at once, whatever is under way. The next request of a connection is read
when the current one is answered, as in Kestrel.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Protocol, cast

from dev.functions_host import heads
from dev.functions_host.request import BUFFER_BYTES, Body, Headers, Request
from dev.functions_host.request_reader import BadRequest, RequestReader
from dev.functions_host.target import decode_path, split_target

HEAD_SECONDS = 30.0
"""How long a head may take to arrive (Kestrel's RequestHeadersTimeout)."""
RESET_DELAY_SECONDS = 0.01
"""What was written this long before a cut still arrived on the real host, in 900 of 900 cases, with a slow reader too."""
DELIVERY_SECONDS = 30.0
"""How long a cut waits for a reader that is slower."""


class RequestHandler(Protocol):
    """What is done about one request."""

    def begin(self) -> None: ...
    def client_left(self) -> None: ...
    def client_slow(self) -> None: ...
    def client_ready(self) -> None: ...


class ClientConnection(asyncio.Protocol):
    """Made by the server for each connection."""

    def __init__(
        self,
        handler: Callable[["ClientConnection", Request], RequestHandler],
        open_connections: set["ClientConnection"],
        *,
        head_seconds: float = HEAD_SECONDS,
    ) -> None:
        self._make_handler = handler
        self._open_connections = open_connections
        self._head_seconds = head_seconds
        self._head_timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._reader = RequestReader(self)
        self._current: tuple[Request, RequestHandler] | None = None
        self._incoming: Request | None = None
        self._peer = ""
        self._sized = True
        """Whether the client can see the end of the current response without the end of the connection."""
        self._retired = False
        self.slow = False
        """Whether the client has not taken what was written for it."""

    # What a handler calls.

    def head(self, status: int, reason: bytes, headers: Headers) -> bytes:
        """Return the head of the current answer, as bytes to be written with its first data."""
        assert self._current is not None
        request = self._current[0]
        sized = heads.chunked(request, status, headers) or any(name == b"content-length" for name, _ in headers)
        self._sized = sized or request.method == "HEAD" or status in heads.BODYLESS
        return heads.client_response(request, status, reason, headers)

    def write(self, data: bytes) -> None:
        """Write at once, as far as the client takes it."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def answer(self, status: int, body: bytes = b"", content_type: bytes = b"text/plain") -> None:
        """Write a complete answer of the host itself."""
        assert self._current is not None
        request = self._current[0]
        head = heads.own_response(status, body, content_type)
        self.write(head + (b"" if request.method == "HEAD" else body))
        self.finish()

    def finish(self) -> None:
        """End the current answer, which is complete."""
        if self._current is None:
            return
        (request, _), self._current = self._current, None
        stays_open = request.keep_alive and request.body.complete and self._sized and not self._retired
        self._sized = True
        if stays_open:
            self._resume()
            self._read(self._reader.next_request)
        else:
            self._close()

    def cut(self) -> None:
        """End the current answer, which is not complete, by a reset."""
        self._current = None
        loop = asyncio.get_running_loop()
        loop.call_later(RESET_DELAY_SECONDS, self._reset_when_delivered, loop.time() + DELIVERY_SECONDS)

    def retire(self) -> None:
        """Take no request after the current one."""
        self._retired = True
        if not self.busy:
            self._close()

    def reset(self) -> None:
        """Reset the connection at once, whatever is still to be written."""
        if self._transport is not None and not self._transport.is_closing():
            connection: socket.socket = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def abort(self) -> None:
        """Close at once, whatever is still to be written."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def busy(self) -> bool:
        return self._current is not None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer = str(transport.get_extra_info("peername")[0])
        self._open_connections.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._open_connections.discard(self)
        self._watch_head(begun=False)
        current, self._current = self._current, None
        if current is not None:
            current[1].client_left()

    def eof_received(self) -> None:
        # As in Kestrel: a client that closes its half of the connection has left.
        self.abort()

    def pause_writing(self) -> None:
        self.slow = True
        if self._current is not None:
            self._current[1].client_slow()

    def resume_writing(self) -> None:
        self.slow = False
        if self._current is not None:
            self._current[1].client_ready()

    def data_received(self, data: bytes) -> None:
        self._read(lambda: self._reader.feed(data))
        if self._reader.waiting_bytes > BUFFER_BYTES:
            self._pause()

    # What the reader calls.

    def on_head(self, method: str, target: bytes, version: str, headers: Headers) -> None:
        host = next((value for name, value in headers if name == b"host"), None)
        try:
            path, query = split_target(target, host)
            decoded = decode_path(path)
        except ValueError as error:
            raise BadRequest from error
        request = Request(
            body=Body(self._pause, self._resume),
            client=self._peer,
            method=method.upper(),
            path=decoded,
            query=query,
            version=version,
            headers=headers,
        )
        self._incoming = request
        if (request.header(b"expect") or b"").lower() == b"100-continue":
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        handler = self._make_handler(self, request)
        self._current = (request, handler)
        handler.begin()

    def on_body(self, data: bytes) -> None:
        if self._incoming is not None:
            self._incoming.body.feed(data)

    def on_end(self) -> None:
        if self._incoming is not None:
            self._incoming.body.end()

    # And the rest.

    def _read(self, read: Callable[[], None]) -> None:
        try:
            read()
        except BadRequest as error:
            self._reject(error.status)
        else:
            self._watch_head(begun=self._reader.begun)

    def _reject(self, status: int) -> None:
        if self._current is not None:
            self.abort()
            return
        self.write(heads.own_response(status, b"", b"text/plain"))
        self._close()

    def _watch_head(self, *, begun: bool) -> None:
        if not begun and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        elif begun and self._head_timer is None:
            loop = asyncio.get_running_loop()
            self._head_timer = loop.call_later(self._head_seconds, self._reject, 408)

    def _reset_when_delivered(self, deadline: float) -> None:
        loop = asyncio.get_running_loop()
        if self._undelivered() and loop.time() < deadline:
            loop.call_later(RESET_DELAY_SECONDS, self._reset_when_delivered, deadline)
        else:
            self.reset()

    def _undelivered(self) -> bool:
        """Return whether the client's kernel lacks something that was written; a reset would discard it."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size():
            return True
        try:
            queued = fcntl.ioctl(self._transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
        except OSError:
            return False  # not known on this system
        return queued != bytes(4)

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
