"""Writing of an answer's head and body: chunked or with a length, in one piece or split, plain or gzip."""

import asyncio
import random
import zlib
from collections.abc import Iterator
from http import HTTPStatus

from dev.simulator.wire import Exchange

Headers = dict[str, str]


class Body:
    """A writer of one answer: a head, then pieces, each in one write (if chunked, one chunk, RFC 9112 section 7.1)."""

    def __init__(self, exchange: Exchange, *, cut_bytes: int | None, cut_seed: int | None, gzip: bool) -> None:
        self.exchange = exchange
        self._cut_bytes = cut_bytes
        self._dice = None if cut_seed is None else random.Random(cut_seed)
        self._gzip = zlib.compressobj(wbits=31) if gzip else None
        self._head = b""
        self._chunked = False

    async def head(self, status: int, headers: Headers, *, length: int | None = None) -> None:
        """Prepare the head, sent with the first write or alone by `send_head`. Without a length, the body is chunked."""
        if self._gzip is not None:
            headers = {**headers, "content-encoding": "gzip"}
            length = None
        self._chunked = length is None
        framing = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
        if headers.get("connection", "").lower() == "close":
            self.exchange.keep_alive = False
        elif not self.exchange.keep_alive:
            headers = {**headers, "connection": "close"}
        phrase = HTTPStatus(status).phrase if status in HTTPStatus else "Simulated"
        lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items()), framing]
        self._head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.exchange.record.status = status

    async def send_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            await self.exchange.send(head)

    async def write(self, data: bytes) -> None:
        if self._gzip is not None:
            data = self._gzip.compress(data) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        if self._cut_bytes is None and self._dice is None:
            await self._write(data)
            return
        await self.send_head()
        for piece in self._pieces(data):
            await asyncio.sleep(
                0
            )  # one write per iteration, so that a reader in another process may see each separately
            await self._write(piece)

    async def _write(self, data: bytes) -> None:
        if self._chunked and data:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if self._head:
            data, self._head = self._head + data, b""
        await self.exchange.send(data)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(data):
            size = self._cut_bytes or (self._dice.randint(1, 40) if self._dice is not None else len(data))
            yield data[start : start + size]
            start += size

    async def finish(self) -> None:
        """End the answer as required by HTTP."""
        if self._gzip is not None:
            await self._write(self._gzip.flush())
        await self.send_head()
        if self._chunked:
            await self.exchange.send(b"0\r\n\r\n")
        await self.exchange.complete()
