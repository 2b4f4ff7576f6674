"""The heads of messages as bytes: what is passed on, what is dropped, what the host says itself. Pure."""

from collections.abc import Iterable
from http import HTTPStatus

from dev.functions_host.request import Headers, Request

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
    b"te", b"trailer", b"transfer-encoding", b"upgrade",
})  # fmt: skip
INVOCATION_HEADER = b"x-ms-invocation-id"
OVERWRITTEN = frozenset({
    b"host", b"expect", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", INVOCATION_HEADER,
})  # fmt: skip
LAST_CHUNK = b"0\r\n\r\n"
BODYLESS = frozenset({204, 304})


def worker_request(request: Request, invocation_id: str, host: str, body: bytes) -> bytes:
    """The request as the worker gets it, with its body when it is known whole."""
    headers = [one for one in _end_to_end(request.headers) if one[0] not in OVERWRITTEN]
    headers += [
        (b"host", host.encode()),
        (INVOCATION_HEADER, invocation_id.encode()),
        (b"x-forwarded-for", request.client.encode()),
        (b"x-forwarded-host", request.header(b"host") or b""),
        (b"x-forwarded-proto", b"http"),
    ]
    if request.chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    return _head(b"%s %s HTTP/1.1\r\n" % (request.method.encode(), request.target), headers) + body


def forwardable(request: Request) -> bool:
    """Return whether the host's HTTP client sends this request: .NET's raises on a header value outside ASCII."""
    return all(value.isascii() for name, value in _end_to_end(request.headers) if name not in OVERWRITTEN)


def client_response(request: Request, status: int, reason: bytes, headers: Headers, *, keep_alive: bool) -> bytes:
    """The worker's head as the client gets it; `chunked` says whether its body must be framed."""
    kept = list(_end_to_end(headers))
    if chunked(request, status, headers):
        kept.append((b"transfer-encoding", b"chunked"))
    if not keep_alive:
        kept.append((b"connection", b"close"))
    return _head(b"HTTP/1.1 %d %s\r\n" % (status, reason), kept)


def chunked(request: Request, status: int, headers: Headers) -> bool:
    """Whether the body of this response has no size of its own."""
    sized = any(name == b"content-length" for name, _ in headers)
    return not (sized or request.method == "HEAD" or status in BODYLESS or request.version == "1.0")


def own_response(status: int, body: bytes, content_type: bytes, *, keep_alive: bool) -> bytes:
    """An answer of the host itself."""
    headers: Headers = [] if status in BODYLESS else [(b"content-length", b"%d" % len(body))]
    if body:
        headers.append((b"content-type", content_type))
    if not keep_alive:
        headers.append((b"connection", b"close"))
    return _head(b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode()), headers)


def chunk(data: bytes) -> bytes:
    """One chunk of a body without a size."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _end_to_end(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    named = {one.strip().lower() for name, value in headers if name == b"connection" for one in value.split(b",")}
    return (one for one in headers if one[0] not in HOP_BY_HOP and one[0] not in named)


def _head(start: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return start + b"".join(b"%b: %b\r\n" % one for one in headers) + b"\r\n"
