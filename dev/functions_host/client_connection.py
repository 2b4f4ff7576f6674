"""A client's connection: requests in, their answers out, in order; whether it stays open is decided here.

It knows no worker. A client that goes is reported at once, whatever is under way.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from dev.functions_host import heads
from dev.functions_host.request import Body, Headers, Request

MOST_PIPELINED = 16
CONTROL_BYTES = bytes({*range(1, 32), 127} - set(b"\t\n\r"))
"""Allowed in a header value by Kestrel (HttpParser.TryTakeSingleHeader), and by this parser only with `lenient_headers`."""


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
        open_ones: set["ClientConnection"],
    ) -> None:
        self._make_handler = handler
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request] = deque()
        self._incoming: Request | None = None
        self._current: tuple[Request, RequestHandler] | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._head_is_known = False
        """Whether the parser is reading a head that it was given only to find the end of the body."""
        self._peer = ""
        self._retired = False
        self.slow = False
        """Whether the client has not taken what was written for it."""

    # What a handler calls.

    def head(self, status: int, reason: bytes, headers: Headers) -> bytes:
        """The head of the current answer, as bytes to be written with its first data."""
        assert self._current is not None
        request = self._current[0]
        sized = heads.chunked(request, status, headers) or any(name == b"content-length" for name, _ in headers)
        if not sized and request.method != "HEAD" and status not in heads.BODYLESS:
            request.keep_alive = False
        return heads.client_response(request, status, reason, headers, keep_alive=self._stays_open(request))

    def write(self, data: bytes) -> None:
        """At once, as far as the client takes it."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def answer(self, status: int, body: bytes = b"", content_type: bytes = b"text/plain") -> None:
        """The host's own whole answer."""
        assert self._current is not None
        request = self._current[0]
        head = heads.own_response(status, body, content_type, keep_alive=self._stays_open(request))
        self.write(head + (b"" if request.method == "HEAD" else body))
        self.finish()

    def finish(self) -> None:
        """The current answer is whole."""
        if self._current is None:
            return
        (request, _), self._current = self._current, None
        if not self._stays_open(request):
            self._close()
        elif self._waiting:
            self._start(self._waiting.popleft())

    def cut(self) -> None:
        """What has been written is all there is, and the client can see that it is not the end."""
        self._current = None
        if self._transport is None:
            return
        if self._parser.get_http_version() == "1.0":
            self._reset()
        else:
            # Its framing shows that something is missing; what there is still arrives.
            self._transport.close()

    def retire(self) -> None:
        """No request after the current one."""
        self._retired = True
        self._waiting.clear()
        if not self.busy:
            self._close()

    def abort(self) -> None:
        """At once, whatever is still to be written."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def busy(self) -> bool:
        return self._current is not None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer = str(transport.get_extra_info("peername")[0])
        self._open_ones.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._open_ones.discard(self)
        self._waiting.clear()
        current, self._current = self._current, None
        if current is not None:
            current[1].client_left()

    def eof_received(self) -> None:
        # As Kestrel takes it: a client that closes its half of the connection has gone.
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
        # Only where it is needed: it allows folded lines as well, to which Kestrel answers 400.
        self._parser.set_dangerous_leniencies(lenient_headers=data.translate(None, CONTROL_BYTES) != data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_on(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse()

    def _read_on(self, rest: bytes) -> None:
        """No upgrades here: a wish for HTTP/2, which some clients send with a POST, is passed over, and its body is read.

        The parser stops behind the head of an upgrade, so a new one is told how long the body is.
        """
        request = self._incoming
        if request is not None and _has_body(request):
            length = request.header(b"content-length")
            framing = b"transfer-encoding: chunked" if request.chunked else b"content-length: %s" % (length or b"0")
            self._parser = httptools.HttpRequestParser(self)
            self._head_is_known = True
            self.data_received(b"POST / HTTP/1.1\r\n%s\r\n\r\n%s" % (framing, rest))

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._head_is_known:
            return
        self._incoming = Request(Body(self._pause, self._resume), self._peer)

    def on_url(self, url: bytes) -> None:
        if self._incoming is not None and not self._head_is_known:
            self._incoming.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._incoming is not None and not self._head_is_known:
            if b"\0" in value:
                raise ValueError("NUL in a header value: a 400, as in Kestrel")
            value.decode()  # likewise what is not UTF-8
            self._incoming.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        request = self._incoming
        if request is None or self._head_is_known:
            self._head_is_known = False
            return
        request.method = self._parser.get_method().decode()
        request.version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive() and not self._parser.should_upgrade()
        if (request.header(b"expect") or b"").lower() == b"100-continue" and self._current is None:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._current is None:
            self._start(request)
        elif len(self._waiting) < MOST_PIPELINED:
            self._waiting.append(request)
        else:
            self.abort()

    def on_body(self, data: bytes) -> None:
        if self._incoming is not None:
            self._incoming.body.feed(data)

    def on_message_complete(self) -> None:
        request = self._incoming
        if request is not None and not (self._parser.should_upgrade() and _has_body(request)):
            request.body.end()

    # And the rest.

    def _start(self, request: Request) -> None:
        handler = self._make_handler(self, request)
        self._current = (request, handler)
        handler.begin()

    def _stays_open(self, request: Request) -> bool:
        return request.keep_alive and request.body.complete and not self._retired

    def _refuse(self) -> None:
        if self._current is not None:
            self.abort()
            return
        self.write(heads.own_response(400, b"", b"", keep_alive=False))
        self._close()

    def _reset(self) -> None:
        """A body that only the connection's end would end must not end by an orderly one."""
        if self._transport is not None:
            connection: socket.socket = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _pause(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _has_body(request: Request) -> bool:
    return request.chunked or bool(request.content_length)
