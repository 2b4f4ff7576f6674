"""A minimal HTTP client for byte-exact tests: one request, one connection, and everything received."""

import json
import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
READ_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Seen:
    """A response, parsed only as HTTP."""

    status: int
    headers: dict[str, str]
    chunks: tuple[bytes, ...]
    """The chunks of a chunked body as sent; a body with a length is one chunk."""
    ending: Literal["complete", "cut", "reset"]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> list[str]:
        """Return the `data:` lines of an event stream."""
        lines = self.body.decode().replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return [line.removeprefix("data: ") for line in lines if line.startswith("data:")]

    @property
    def events(self) -> list[Any]:
        """Return the JSON values of an event stream, without `[DONE]`."""
        return [json.loads(data) for data in self.data if data != "[DONE]"]


class Probe:
    """An open connection with one request on it. It reads only on demand; closing it simulates a client that disconnects."""

    def __init__(
        self,
        url: str,
        body: Any = None,
        *,
        method: str | None = None,
        headers: dict[str, str] | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        address = urlsplit(url)
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(TIMEOUT_SECONDS)
        self._socket.connect((address.hostname or "", address.port or 80))
        method = method or ("GET" if body is None else "POST")
        path = f"{address.path}?{address.query}" if address.query else address.path
        usual = {"host": address.netloc, "content-length": str(len(data)), "connection": "close"}
        lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in (usual | (headers or {})).items()), "", ""]
        self._socket.sendall("\r\n".join(lines).encode("latin-1") + data)
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send more bytes on the same connection."""
        self._socket.sendall(data)

    def read(self, size: int = READ_BYTES) -> bytes:
        """Return the next bytes, or none when the peer has closed."""
        data = self._socket.recv(size)
        self._received += data
        return data

    def read_until(self, mark: bytes) -> bytes:
        """Read until `mark` has been received, and return everything received so far."""
        while mark not in self._received:
            if not self.read():
                raise AssertionError(f"ended before {mark!r}: {self._received!r}")
        return self._received

    def read_all(self) -> Seen:
        reset = False
        try:
            while self.read():
                pass
        except ConnectionResetError:
            reset = True
        return _seen(self._received, reset=reset)

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ask(url: str, body: Any = None, *, method: str | None = None, headers: dict[str, str] | None = None) -> Seen:
    with Probe(url, body, method=method, headers=headers) as probe:
        return probe.read_all()


def _seen(received: bytes, *, reset: bool) -> Seen:
    if not received:
        return Seen(0, {}, (), "reset" if reset else "cut")
    head, _, rest = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        chunks, whole = _chunks(rest)
    else:
        chunks, whole = [rest], len(rest) == int(headers.get("content-length", len(rest)))
    ending: Literal["complete", "cut", "reset"] = "reset" if reset else "complete" if whole else "cut"
    return Seen(int(first.split()[1]), headers, tuple(chunks), ending)


def _chunks(rest: bytes) -> tuple[list[bytes], bool]:
    chunks: list[bytes] = []
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not size:
            return chunks, False
        length = int(size, 16)
        if length == 0:
            return chunks, True
        chunks.append(rest[:length])
        if len(rest) < length + 2:
            return chunks, False
        rest = rest[length + 2 :]
