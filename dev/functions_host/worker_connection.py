"""A connection to the worker's own HTTP server: one response at a time, handed on as it arrives.

It frames nothing and keeps nothing: the listener of a response decides what becomes of it.
"""

import asyncio
from typing import Protocol, cast

import httptools

from dev.functions_host.request import Headers

FIRST_FINAL_STATUS = 200
MAX_HEAD_BYTES = 64 * 1024
"""A response whose head is larger never arrives: .NET's HTTP client gives it up (MaxResponseHeadersLength)."""


class ResponseListener(Protocol):
    """Gets a response in this order; a read that does not end the response ends in `on_flushed`."""

    def on_head(self, status: int, reason: bytes, headers: Headers) -> None: ...
    def on_data(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...
    def on_flushed(self) -> None: ...
    def on_lost(self) -> None:
        """The connection ended before the response was complete."""
        ...


class Pool(Protocol):
    """Keeps connections between requests."""

    def give_back(self, connection: "WorkerConnection") -> None: ...
    def forget(self, connection: "WorkerConnection") -> None: ...


class WorkerConnection(asyncio.Protocol):
    """Made by the pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._listener: ResponseListener | None = None
        self._can_write = asyncio.Event()
        self._can_write.set()
        self._idle_timer: asyncio.TimerHandle | None = None

    def request(self, head: bytes, listener: ResponseListener, method: str) -> None:
        """Send a request; its response goes to the listener."""
        self._listener = listener
        self._method = method
        self._ended = self._stays_open = False
        self._head_bytes = 0
        self._reason = b""
        self._headers: Headers = []
        self._parser = httptools.HttpResponseParser(self)
        self.write(head)

    def write(self, data: bytes) -> None:
        """Send more of the request."""
        if self._transport is not None:
            self._transport.write(data)

    async def drained(self) -> None:
        """Return when the worker takes more."""
        await self._can_write.wait()

    def pause(self) -> None:
        """Read no more for the moment."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Close at once."""
        self._listener = None
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """Close when what was written is sent."""
        self._listener = None
        if self._transport is not None:
            self._transport.close()

    def abandon(self) -> None:
        """Close at the next byte from the worker, which so learns of it only when it writes."""
        self._listener = None

    def keep(self, seconds: float) -> None:
        """Close after this long without a request."""
        self._idle_timer = asyncio.get_running_loop().call_later(seconds, self.abort)

    def take(self) -> None:
        """Stay open for a request."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()

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
        if self._stays_open and not self.closing:
            self._pool.give_back(self)
        else:
            self.abort()
        listener.on_end()

    # What the parser calls.

    def on_status(self, status: bytes) -> None:
        self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise ValueError("the head is too large")
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
            # Asked here: afterwards the parser has forgotten it. It does not know about HEAD.
            self._stays_open = self._parser.should_keep_alive() and self._method != "HEAD"
            self._ended = True
