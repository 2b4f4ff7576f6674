"""Connections to upstreams: how a socket is made, when a kept one is used again, and how one is given up at once.

Only the public seams of aiohttp are used: `TCPConnector.connect`, `Connection.add_callback`, `ClientResponse.start`.
"""

import asyncio
import select
import socket
import struct
import weakref
from contextlib import suppress
from functools import partial

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict, CIMultiDictProxy

KEEP_ALIVE_SECONDS = 30.0
_RECEIVE_BUFFER_BYTES = 128 * 1024
_NO_HEADERS: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
_NO_LINGER = struct.pack("ii", 1, 0)


def new_connector() -> aiohttp.TCPConnector:
    """Return a connector. The number of streams is bounded by MAX_OPEN_STREAMS and the platform, not by a queue here."""
    return _Connector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=60, socket_factory=_bounded_socket)


def _bounded_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Return a socket whose kernel does not take megabytes of an answer in advance for a client that reads slowly."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    return made


class _Connector(aiohttp.TCPConnector):
    """Uses no kept connection that has bytes waiting: they would be taken for the answer to the next request."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._used: weakref.WeakSet[ResponseHandler] = weakref.WeakSet()

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a kept connection, or a new one."""
        while True:
            connection = await super().connect(req, traces, timeout)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used:
                break
            if not (protocol.should_close or _has_waiting_bytes(protocol.transport)):
                break
            connection.close()
        if protocol is not None:
            self._used.add(protocol)
            connection.add_callback(partial(_drop_unsent, protocol.transport))
        return connection


def _has_waiting_bytes(transport: asyncio.Transport | None) -> bool:
    """Return whether the kernel has something that the loop has not read yet: bytes, or the server's end."""
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None or not hasattr(select, "poll"):  # Windows has none
        return False
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _drop_unsent(transport: asyncio.Transport | None) -> None:
    """Abort a connection that is released while a request's body is still going up: a graceful close would send it all."""
    if transport is not None and transport.get_write_buffer_size() > 0:
        abort(transport)


def abort(transport: asyncio.Transport | None) -> None:
    """Close the connection at once. What has not been sent is dropped, the kernel's part of it too."""
    if transport is None:
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):  # it has gone by itself
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def hang_up(transport: asyncio.Transport | None) -> None:
    """End a connection for its other side at once. What has arrived by then can still be read, and nothing that comes later.

    To close it is not enough: the loop does so one turn later, and what arrives meanwhile is lost; over TLS it waits for half a
    minute for the other side to say goodbye, which a server does not that only writes.
    """
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is not None:
        # NOTE: what uvloop gives cannot be shut down.
        with suppress(OSError), socket.fromfd(sock.fileno(), sock.family, sock.type) as same:
            same.shutdown(socket.SHUT_RDWR)


class Response(aiohttp.ClientResponse):
    """Aborts its connection when nobody waits for its head any more: the request may still be going up.

    Also after a 101: aiohttp would keep it for the next request unless the server says `Connection: upgrade`.
    """

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Wait for the head."""
        transport = connection.transport
        try:
            response = await super().start(connection)
        except asyncio.CancelledError:
            abort(transport)
            raise
        if self.status < 200:  # a switch of protocols that nobody asked for
            abort(transport)
        return response

    def forget_heads(self) -> None:
        """Release both heads, which nobody reads any more: several kilobytes of each open stream, and the token among them."""
        asked = self._request_info
        self._request_info = aiohttp.RequestInfo(asked.url, asked.method, _NO_HEADERS, asked.real_url)
        self._headers, self._raw_headers = _NO_HEADERS, ()
        self._cache = {}  # what its properties have returned
