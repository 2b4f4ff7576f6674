"""The heads of messages as bytes: what is passed on, what is dropped, what the host writes itself. Pure.

What the real host's forwarder (YARP, then .NET's HTTP client) does to a head, measured on host 4.1037: headers of one name are
joined by a comma, cookies by a semicolon; a name that is no token vanishes; a POST without a body gets `Content-Length: 0`.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus

from dev.functions_host.request import Headers, Request
from dev.functions_host.target import encode_path

HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
    b"te", b"trailer", b"transfer-encoding", b"upgrade",
})  # fmt: skip
INVOCATION_HEADER = b"x-ms-invocation-id"
NOT_FORWARDED = frozenset({
    b"content-length", b"forwarded", b"host", b"upgrade-insecure-requests", b"x-forwarded-for", b"x-forwarded-host",
    b"x-forwarded-proto", INVOCATION_HEADER,
})  # fmt: skip
"""Beside the hop-by-hop ones: dropped, or written anew."""
WITHOUT_BODY = frozenset({"GET", "HEAD", "CONNECT", "OPTIONS", "DELETE"})
"""Methods that .NET's HTTP client sends without a Content-Length where there is no body (HttpMethod.MustHaveRequestBody)."""
LAST_CHUNK = b"0\r\n\r\n"
BODYLESS = frozenset({204, 304})
_TOKEN = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_UNSENDABLE = re.compile(rb"[^\t\x20-\x7e]")


def worker_request(request: Request, invocation_id: str, host: str, body: bytes) -> bytes:
    """Return the request as the worker gets it, with its body when that is not chunked."""
    headers = [
        *_joined(_forwarded(request)),
        (b"host", host.encode()),
        (INVOCATION_HEADER, invocation_id.encode()),
        (b"x-forwarded-for", request.client.encode()),
        (b"x-forwarded-host", request.header(b"host") or b""),
        (b"x-forwarded-proto", b"http"),
    ]
    if request.chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    elif body or request.method not in WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(body)))
    headers += _upgrade(request)
    target = encode_path(request.path) + (b"?" + request.query if request.query else b"")
    return _head(b"%s %s HTTP/1.1\r\n" % (request.method.encode(), target), headers) + body


def forwardable(request: Request) -> bool:
    """Return whether the host's HTTP client sends this request: .NET's raises on a header value outside ASCII."""
    return all(value.isascii() for _, value in _forwarded(request))


def deliverable(headers: Headers) -> bool:
    """Return whether Kestrel sends these headers to a client: it raises on a value outside printable ASCII."""
    return not any(_UNSENDABLE.search(value) for _, value in _end_to_end(headers))


def client_response(request: Request, status: int, reason: bytes, headers: Headers) -> bytes:
    """Return the worker's head as the client gets it."""
    kept = list(_end_to_end(headers))
    if chunked(request, status, headers):
        kept.append((b"transfer-encoding", b"chunked"))
    return _head(b"HTTP/1.1 %d %s\r\n" % (status, reason), kept)


def chunked(request: Request, status: int, headers: Headers) -> bool:
    """Return whether the client gets the body of this response in chunks: it has no size of its own."""
    sized = any(name == b"content-length" for name, _ in headers)
    return not (sized or request.method == "HEAD" or status in BODYLESS or request.version == "1.0")


def own_response(status: int, body: bytes, content_type: bytes) -> bytes:
    """Return the head of an answer of the host itself."""
    headers: Headers = [] if status in BODYLESS else [(b"content-length", b"%d" % len(body))]
    if body:
        headers.append((b"content-type", content_type))
    return _head(b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode()), headers)


def chunk(data: bytes) -> bytes:
    """Return one chunk of a body without a size."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _forwarded(request: Request) -> Headers:
    return [one for one in _end_to_end(request.headers) if one[0] not in NOT_FORWARDED and _TOKEN.fullmatch(one[0])]


def _upgrade(request: Request) -> Headers:
    """Return the wish for another protocol, which YARP restores (HttpForwarder.RestoreUpgradeHeaders)."""
    options = [one.strip() for one in (request.header(b"connection") or b"").split(b",")]
    option = next((one for one in options if one.lower() == b"upgrade"), None)
    protocol = request.header(b"upgrade")
    return (
        []
        if option is None or protocol is None or protocol.lower() != b"websocket"
        else [(b"connection", option), (b"upgrade", protocol)]
    )


def _joined(headers: Headers) -> Headers:
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        separator = b"; " if name == b"cookie" else b", "
        joined[name] = joined[name] + separator + value if name in joined else value
    return list(joined.items())


def _end_to_end(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    named = {one.strip().lower() for name, value in headers if name == b"connection" for one in value.split(b",")}
    return (one for one in headers if one[0] not in HOP_BY_HOP and one[0] not in named)


def _head(start: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return start + b"".join(b"%b: %b\r\n" % one for one in headers) + b"\r\n"
