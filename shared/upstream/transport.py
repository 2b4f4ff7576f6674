"""aiohttp under the openai client: the only module that imports aiohttp and httpx2.

The openai client talks through httpx2, which takes any transport. This one hands out aiohttp's response itself (in the
response's extensions), so that a stream is read without a layer per chunk, and closes it the moment nobody wants it.
"""

import asyncio
import socket
import zlib

import aiohttp
import httpx2
import yarl

from shared.errors import UpstreamCut

CONNECT_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 30.0
MAX_WHOLE_BYTES = 1024 * 1024
MAX_HEADER_BYTES = 64 * 1024
MAX_HEADERS = 512
"""Gateways before the model's service add some of their own; aiohttp's bounds are narrower."""
_READ_BUFFER_BYTES = 32 * 1024
_RECEIVE_BUFFER_BYTES = 128 * 1024
_AIOHTTP = "aiohttp.response"
_READABLE = "readable"
_FRAMING = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


def _bounded_socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """Without a bound the kernel would take megabytes of answers in advance for a client that reads slowly."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    return made


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """One connection pool for every backend. Made without a running loop; opens on the first request."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        # limit=0: the number of streams is bounded by MAX_OPEN_STREAMS and the platform, never by waiting in line here.
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=60, socket_factory=_bounded_socket
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            read_bufsize=_READ_BUFFER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends one request; never follows a redirect, since the request carries this app's token."""
        if self._session is None:
            self._session = self._open()
        try:
            response = await self._session.request(
                request.method,
                yarl.URL(str(request.url), encoded=True),
                headers=request.headers.multi_items(),
                data=request.content or None,
                allow_redirects=False,
            )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("no connection in time", request=request) from error
        except (aiohttp.ClientError, OSError) as error:
            raise httpx2.ConnectError("no connection", request=request) from error
        if not _is_answer(response) or request.method == "DELETE":
            return await _whole(response, request)
        return httpx2.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Unread(response),
            request=request,
            extensions={_AIOHTTP: response},
        )

    async def aclose(self) -> None:
        """Closes every connection."""
        if self._session is not None:
            await self._session.close()


class _Unread(httpx2.AsyncByteStream):
    """The body of an answer: `ResponseBody` reads it, and httpx2 can only let go of it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def aclose(self) -> None:
        self._response.close()


def _is_answer(response: aiohttp.ClientResponse) -> bool:
    return 200 <= response.status < 300


async def _whole(response: aiohttp.ClientResponse, request: httpx2.Request) -> httpx2.Response:
    """A refusal, or the small answer to a DELETE: read at once, bounded, and with compression that nobody asked for undone.

    A refusal is one however its body ends. Raises `httpx2.ReadError` where an answer breaks off.
    """
    body = bytearray()
    is_readable = True
    try:
        while data := await response.content.read(MAX_WHOLE_BYTES - len(body)):
            body += data
    except (aiohttp.ClientError, OSError) as error:
        if _is_answer(response):
            raise httpx2.ReadError("the body broke off", request=request) from error
        is_readable = False  # half of it explains nothing
    finally:
        response.release() if response.content.at_eof() else response.close()
    encoding = response.headers.get("content-encoding", "").strip().lower()
    kept = [(name, value) for name, value in response.raw_headers if name.lower() not in _FRAMING]
    content = _decoded(bytes(body), encoding) if is_readable else None
    return httpx2.Response(
        response.status,
        headers=kept,
        content=content or b"",
        request=request,
        extensions={_READABLE: content is not None},
    )


def _decoded(body: bytes, encoding: str) -> bytes | None:
    """None where it can't be read."""
    if encoding in ("", "identity"):
        return body
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, MAX_WHOLE_BYTES)
    except zlib.error:
        return None


def error_body(response: httpx2.Response) -> bytes | None:
    """The body of a refusal; None where it can't be read."""
    return response.content if response.extensions[_READABLE] else None


class BufferedBody:
    """A small body that was read already."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def read(self) -> bytes:
        """All of it, then b''."""
        content, self._content = self._content, b""
        return content

    def at_end(self) -> bool:
        """Whether it was read."""
        return not self._content

    def close(self) -> None:
        """Nothing to let go of."""


def _hear(lost: asyncio.Future[None]) -> None:
    """Or an idle connection that breaks would be told in the log as an exception that nobody heard of."""
    _ = lost.cancelled() or lost.exception()


class ResponseBody:
    """The body of an answer, read as it arrives."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response: aiohttp.ClientResponse = response.extensions[_AIOHTTP]
        self._content = self._response.content
        protocol = self._response.connection and self._response.connection.protocol
        self._lost = protocol.closed if protocol is not None else None
        if self._lost is not None:
            self._lost.add_done_callback(self._on_lost)
        elif protocol is not None:  # it was lost before anybody listened
            self._fail()

    def _on_lost(self, lost: asyncio.Future[None]) -> None:
        _hear(lost)
        self._fail()

    def _fail(self) -> None:
        # NOTE: after an error in the framing of a body aiohttp closes the connection, and lets the reader wait for ever.
        if not self._content.is_eof() and self._content.exception() is None:
            self._content.set_exception(aiohttp.ClientPayloadError("the connection has gone"))

    async def read(self) -> bytes:
        """Whatever has arrived, at least one byte; b'' at a clean end. Raises `UpstreamCut`."""
        try:
            data: bytes = await self._content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamCut("The connection to the model broke off in the middle of the answer.") from error
        return data

    def at_end(self) -> bool:
        """Whether the body is complete and read."""
        return bool(self._content.at_eof())

    def close(self) -> None:
        """Gives a finished connection back to the pool; closes an unfinished one, at once."""
        if self._lost is not None and not self._lost.done():
            self._lost.remove_done_callback(self._on_lost)
            self._lost.remove_done_callback(_hear)
            self._lost.add_done_callback(_hear)
        if self.at_end():
            self._response.release()
        else:
            self._response.close()
