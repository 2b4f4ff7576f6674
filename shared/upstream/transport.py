"""aiohttp under the openai client, which talks through httpx2, which takes any transport.

This one hands out aiohttp's response itself (in the response's extensions), so that a stream is read without a layer per
chunk, and closes it the moment nobody wants it. It raises the failures of `shared.errors`, which pass through httpx2 and
openai as they are: so no exception of theirs, with an upstream's words in it, is ever made.
"""

import asyncio
import logging
import zlib
from collections.abc import AsyncIterable, AsyncIterator

import aiohttp
import httpx2
import yarl

from shared.config.proxies import DIRECT, Proxies
from shared.errors import AnswerError, UpstreamFailure, UpstreamFrameTooLarge, UpstreamUnreachable
from shared.upstream.connect_errors import connect_error
from shared.upstream.connections import Response, new_connector
from shared.upstream.errors import error_from_status
from shared.upstream.response_body import ResponseBody

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 2.0
"""How long connections may take to close; an upstream that does not read could hold one open indefinitely."""
MAX_BUFFERED_BYTES = 1024 * 1024
"""The largest error response, or answer to a DELETE, that is read."""
MAX_HEADER_BYTES = 64 * 1024
MAX_HEADERS = 512
"""Gateways before the model's service add some of their own; aiohttp's bounds are narrower."""
FORM_TYPE = "x-form-content-type"
"""A request's header for this transport, which sends it as the content type: openai refuses a form that it has not made."""
LARGE_BODY_BYTES = 1024 * 1024
"""From this size on a request's body goes up in pieces."""
_PIECE_BYTES = 64 * 1024
_READ_BUFFER_BYTES = 32 * 1024
_AIOHTTP = "aiohttp.response"
_FRAMING = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32

_log = logging.getLogger(__name__)


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """One connection pool for every backend. Made without a running loop; opens on the first request."""

    def __init__(self, proxies: Proxies = DIRECT) -> None:
        """Open nothing yet: there may be no running loop."""
        self._proxies = proxies
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=new_connector(),
            response_class=Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            read_bufsize=_READ_BUFFER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; never follow a redirect, since the request carries this app's token.

        Raise `UpstreamErrorResponse` for any status but 2xx, `UpstreamUnreachable`, `UpstreamTimeout`, `OutOfResources`,
        and `UpstreamFrameTooLarge` for an answer to a DELETE that is.
        """
        if self._session is None:
            self._session = self._open()
        url = yarl.URL(str(request.url), encoded=True)
        proxy = self._proxies.proxy_for(url.scheme, url.host or "", url.port)
        data = _data(request)
        try:
            response = await self._session.request(
                request.method,
                url,
                proxy=proxy,
                headers=request.headers.multi_items(),
                data=data,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, OSError) as error:
            raise connect_error(error, through_proxy=proxy is not None) from None
        if not _is_success(response):
            raise await _error_response(response)
        if request.method == "DELETE":
            return await _buffered(response, request)
        made = httpx2.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Unread(response),
            request=request,
            extensions={_AIOHTTP: response},
        )
        assert isinstance(response, Response)
        response.forget_heads()
        return made

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._session.close()
            except TimeoutError:
                _log.info("Some connections to upstreams are still closing")


class _Unread(httpx2.AsyncByteStream):
    """The body of an answer: `ResponseBody` reads it, and httpx2 can only close it."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def aclose(self) -> None:
        self._response.close()


def body_of(response: httpx2.Response) -> ResponseBody:
    """Return the unread body of a response of this transport."""
    return ResponseBody(response.extensions[_AIOHTTP])


def _data(request: httpx2.Request) -> bytes | AsyncIterable[bytes] | None:
    """Return what goes up, and give the request of a form its content type."""
    form_type = request.headers.pop(FORM_TYPE, None)
    if form_type is None:
        return _pieces(request.content) if len(request.content) > LARGE_BODY_BYTES else request.content or None
    request.headers["content-type"] = form_type
    assert isinstance(request.stream, httpx2.AsyncByteStream)
    return request.stream


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    """Yield a large body in pieces: of bytes that it gets as a whole, aiohttp makes a copy to put the head before them."""
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]


def _is_success(response: aiohttp.ClientResponse) -> bool:
    return 200 <= response.status < 300


async def _error_response(response: aiohttp.ClientResponse) -> AnswerError:
    """Return the failure that a response other than 2xx is, however its body ends."""
    try:
        body = await _read_bounded(response)
        content = _decoded(response, body)
    except (aiohttp.ClientError, OSError, zlib.error, UpstreamFrameTooLarge):
        content = None  # a part of it explains nothing
    try:
        return error_from_status(response.status, httpx2.Headers(response.raw_headers), content)
    except Exception as error:  # noqa: BLE001 - nothing that an error response says may become a failure of this app
        _log.error("An error response with status %d could not be read: %s", response.status, type(error).__name__)
        return UpstreamFailure("The model's service sent an error response that could not be read.", cause="unreadable")


async def _buffered(response: aiohttp.ClientResponse, request: httpx2.Request) -> httpx2.Response:
    """Return the small answer to a DELETE, read at once, with compression that nobody asked for undone."""
    try:
        content = _decoded(response, await _read_bounded(response))
    except (aiohttp.ClientError, OSError):
        raise UpstreamUnreachable(
            "The connection to the model's service broke off.", cause="connection lost in the middle of the response"
        ) from None
    except zlib.error:
        raise UpstreamFailure("The model's service sent an answer that could not be read.", cause="not gzip") from None
    kept = [(name, value) for name, value in response.raw_headers if name.lower() not in _FRAMING]
    return httpx2.Response(response.status, headers=kept, content=content, request=request)


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """Return the body. Raise `UpstreamFrameTooLarge`, or what aiohttp raises where it breaks off."""
    body = bytearray()
    try:
        while data := await response.content.read(MAX_BUFFERED_BYTES + 1 - len(body)):
            body += data
    finally:
        response.release() if response.content.at_eof() else response.close()
    if len(body) > MAX_BUFFERED_BYTES:
        raise UpstreamFrameTooLarge("The model's service sent a response that is too large.", cause="too large")
    return bytes(body)


def _decoded(response: aiohttp.ClientResponse, body: bytes) -> bytes:
    """Undo gzip or deflate. Raise `zlib.error`, and `UpstreamFrameTooLarge` where it becomes too large."""
    if response.headers.get("content-encoding", "").strip().lower() in ("", "identity"):
        return body
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    content = decoder.decompress(body, MAX_BUFFERED_BYTES)
    if decoder.unconsumed_tail:
        raise UpstreamFrameTooLarge("The model's service sent a response that is too large.", cause="too large")
    return content
