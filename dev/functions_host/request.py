"""A request as it comes from the client: its head at once, its body as it arrives, never more of it than a bounded buffer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

BUFFER_BYTES = 65536

type Headers = list[tuple[bytes, bytes]]


class BodyTooLarge(Exception):
    """More than the host takes."""


class Body:
    """Bytes between the client's connection and whoever reads them; a full buffer pauses the connection."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._pause, self._resume = pause, resume
        self._paused = False
        self._news = asyncio.Event()
        self.complete = False

    def feed(self, data: bytes) -> None:
        """What has just arrived."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > BUFFER_BYTES and not self._paused:
            self._paused = True
            self._pause()
        self._news.set()

    def end(self) -> None:
        """Nothing more will."""
        self.complete = True
        self._news.set()

    async def read(self) -> bytes:
        """Everything that has arrived since the last call, or, after the end, nothing."""
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

    async def whole(self, limit: int) -> bytes:
        """All of it."""
        pieces = []
        while piece := await self.read():
            pieces.append(piece)
            limit -= len(piece)
            if limit < 0:
                raise BodyTooLarge
        return b"".join(pieces)


@dataclass(slots=True)
class Request:
    body: Body
    client: str
    method: str = ""
    target: bytes = b""
    version: str = "1.1"
    keep_alive: bool = True
    headers: Headers = field(default_factory=list)
    """Names in lower case."""

    def header(self, name: bytes) -> bytes | None:
        """The first of that name."""
        return next((value for one, value in self.headers if one == name), None)

    @property
    def content_length(self) -> int | None:
        """None when the body's size is not known, or when there is no body."""
        text = self.header(b"content-length")
        return int(text) if text is not None and self.header(b"transfer-encoding") is None else None

    @property
    def chunked(self) -> bool:
        return self.header(b"transfer-encoding") is not None

    @property
    def raw_path(self) -> bytes:
        return self.target.partition(b"?")[0]

    @property
    def query(self) -> bytes:
        return self.target.partition(b"?")[2]

    @property
    def path(self) -> str:
        """Decoded, but for an encoded slash, which stays one: it must not divide a segment."""
        kept = self.raw_path.decode("latin-1").replace("%2F", "%252F").replace("%2f", "%252f")
        return unquote(kept)
