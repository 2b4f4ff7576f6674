"""HTTP/1.1 requests out of bytes, as leniently and as strictly as Kestrel reads them. It writes nothing and waits for nothing.

What Kestrel takes and most servers do not, measured on host 4.1037: a bare LF as a line end, control bytes other than NUL and
CR in a header value, UTF-8 in a header value, `Content-Length: +3`, a header name such as `x(a`, `get` as a method.
"""

import re
from collections.abc import Callable
from typing import Protocol

from dev.functions_host.request import Headers

MAX_REQUEST_LINE_BYTES = 8192
MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
MAX_CHUNK_LINE_BYTES = 1024
_METHOD = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LENGTH = re.compile(rb"\+?[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;.*)?")
_VERSIONS = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0"}


class BadRequest(Exception):
    """The bytes are no request; `status` is what Kestrel answers."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


class RequestReceiver(Protocol):
    """Gets each request in this order."""

    def on_head(self, method: str, target: bytes, version: str, headers: Headers) -> None:
        """Names are in lower case. May raise BadRequest."""
        ...

    def on_body(self, data: bytes) -> None: ...
    def on_end(self) -> None: ...


class RequestReader:
    """Reads one request; what follows it waits until `next_request`."""

    def __init__(self, receiver: RequestReceiver) -> None:
        self._receiver = receiver
        self._buffer = bytearray()
        self._step: Callable[[], bool] | None = self._request_line
        self._request: tuple[str, bytes, str] = ("", b"", "")
        self._headers: Headers = []
        self._header_bytes = 0
        self._left = 0

    @property
    def begun(self) -> bool:
        """Whether a head has begun and is not complete."""
        return self._step == self._header_line or (self._step == self._request_line and bool(self._buffer))

    @property
    def waiting_bytes(self) -> int:
        """How much has arrived and is not read yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> None:
        """Read more; raise BadRequest, after which nothing can be read."""
        self._buffer += data
        while self._step is not None and self._step():
            pass

    def next_request(self) -> None:
        """Read the request that follows the one that has ended."""
        if self._step is None:
            self._step = self._request_line
            self.feed(b"")

    # Each step returns whether there may be more to read at once.

    def _request_line(self) -> bool:
        line = self._line(MAX_REQUEST_LINE_BYTES, 414)
        if not line:
            return line is not None  # empty lines before a request are allowed
        parts = line.split(b" ")
        if len(parts) != 3 or not _METHOD.fullmatch(parts[0]) or not parts[1]:
            raise BadRequest
        if parts[2] not in _VERSIONS:
            raise BadRequest(505 if parts[2].startswith(b"HTTP/") else 400)
        self._request = (parts[0].decode(), parts[1], _VERSIONS[parts[2]])
        self._headers, self._header_bytes = [], 0
        self._step = self._header_line
        return True

    def _header_line(self) -> bool:
        line = self._line(MAX_HEADER_BYTES - self._header_bytes, 431)
        if line is None:
            return False
        if not line:
            self._end_head()
            return True
        self._header_bytes += len(line) + 2
        if len(self._headers) == MAX_HEADERS:
            raise BadRequest(431)
        self._headers.append(_header(line))
        return True

    def _end_head(self) -> None:
        method, target, version = self._request
        chunked, self._left = _framing(self._headers, version)
        self._receiver.on_head(method, target, version, self._headers)
        if chunked:
            self._step = self._chunk_line
        elif self._left:
            self._step = self._sized_body
        else:
            self._end()

    def _sized_body(self) -> bool:
        if self._take_body():
            self._end()
        return bool(self._buffer)

    def _chunk_line(self) -> bool:
        line = self._line(MAX_CHUNK_LINE_BYTES, 400)
        if line is None:
            return False
        found = _CHUNK_SIZE.fullmatch(line)
        if found is None:
            raise BadRequest
        self._left = int(found[1], 16)
        self._step = self._chunk_data if self._left else self._trailer_line
        return True

    def _chunk_data(self) -> bool:
        if self._take_body():
            self._step = self._chunk_end
        return bool(self._buffer)

    def _chunk_end(self) -> bool:
        line = self._line(0, 400)
        if line is not None:
            self._step = self._chunk_line
        return line is not None

    def _trailer_line(self) -> bool:
        line = self._line(MAX_HEADER_BYTES, 431)
        if line == b"":
            self._end()
        return line is not None

    def _take_body(self) -> bool:
        """Pass on what there is; return whether that was the last of it."""
        data = bytes(self._buffer[: self._left])
        del self._buffer[: len(data)]
        self._left -= len(data)
        if data:
            self._receiver.on_body(data)
        return not self._left

    def _end(self) -> None:
        self._step = None
        self._receiver.on_end()

    def _line(self, limit: int, status: int) -> bytes | None:
        """Return the next line without its end, or None while it has not arrived."""
        end = self._buffer.find(b"\n", 0, limit + 2)
        if end < 0:
            if len(self._buffer) > limit + 1:
                raise BadRequest(status)
            return None
        line = bytes(self._buffer[:end]).removesuffix(b"\r")
        del self._buffer[: end + 1]
        return line


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or not name.isascii() or any(byte in b" \t\0\r" for byte in name):
        raise BadRequest  # a folded line among them: it begins with a space
    if b"\0" in value or b"\r" in value:
        raise BadRequest
    try:
        value.decode()
    except UnicodeDecodeError:
        raise BadRequest from None
    return name.lower(), value.strip(b" \t")


def _framing(headers: Headers, version: str) -> tuple[bool, int]:
    """Return whether the body is chunked, and its size where it has one."""
    hosts, lengths, codings = (
        [value for name, value in headers if name == wanted]
        for wanted in (b"host", b"content-length", b"transfer-encoding")
    )
    if len(hosts) > 1 or (version == "1.1" and not hosts):
        raise BadRequest
    if codings:
        if lengths or codings[-1].rpartition(b",")[2].strip().lower() != b"chunked":
            raise BadRequest
        return True, 0
    if len(lengths) > 1 or (lengths and not _LENGTH.fullmatch(lengths[0])):
        raise BadRequest
    return False, int(lengths[0]) if lengths else 0
