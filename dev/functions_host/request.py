"""A request as it comes from the client: its head at once, its body as it arrives, never more of it than a bounded buffer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

BUFFER_BYTES = 65536

type Headers = list[tuple[bytes, bytes]]


class BodyTooLarge(Exception):
    """The body is larger than the host accepts."""


class Body:
    """Bytes between the client's connection and their reader; a full buffer pauses the connection."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._pause, self._resume = pause, resume
        self._paused = False
        self._news = asyncio.Event()
        self.complete = False

    def feed(self, data: bytes) -> None:
        """Add what has just arrived."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > BUFFER_BYTES and not self._paused:
            self._paused = True
            self._pause()
        self._news.set()

    def end(self) -> None:
        """Note that nothing more will arrive."""
        self.complete = True
        self._news.set()

    async def read(self) -> bytes:
        """Return everything that has arrived since the last call, or, after the end, nothing."""
        while not self._pieces and not self.complete:
            self._news.clear()
            await self._news.wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        if self._paused:
            self._paused = False
            self._resume()
        return data

    async def read_all(self, limit: int) -> bytes:
        """Return the complete body, or raise BodyTooLarge."""
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
            limit -= len(piece)
            if limit < 0:
                raise BodyTooLarge
        return b"".join(pieces)


@dataclass(slots=True, kw_only=True)
class Request:
    body: Body
    client: str
    method: str
    """In capitals."""
    path: str
    """Decoded (`target.decode_path`)."""
    query: bytes
    version: str
    headers: Headers = field(default_factory=list)
    """Names in lower case."""

    def header(self, name: bytes) -> bytes | None:
        """Return the value, several of that name joined by a comma, or None."""
        values = [value for one, value in self.headers if one == name]
        return b", ".join(values) if values else None

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants the connection to stay open."""
        wishes = {one.strip().lower() for one in (self.header(b"connection") or b"").split(b",")}
        return b"close" not in wishes and (self.version == "1.1" or b"keep-alive" in wishes)

    @property
    def content_length(self) -> int:
        """The size of a body that is not chunked."""
        return 0 if self.chunked else int(self.header(b"content-length") or 0)

    @property
    def chunked(self) -> bool:
        return self.header(b"transfer-encoding") is not None
