"""A body that is too large to be held in memory: kept in an unnamed temporary file until nobody needs it any more.

The Functions host has read a sized body whole before the worker sees its first byte, so that keeping it costs a client no
time; and whatever has been kept can be sent again, to another backend.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncGenerator, Awaitable
from typing import IO

from shared.errors import OutOfResources

HELD_BYTES = 1024 * 1024
"""How much is held in memory; from there on the file gets it, in writes of this size."""
PIECE_BYTES = 256 * 1024
"""How much is read from the file at a time."""


class Spool:
    """The bytes of one body. Written to its end first, then read any number of times, at once as well."""

    def __init__(self) -> None:
        """Begin with nothing, in memory."""
        self.size = 0
        self._held = bytearray()
        """What is not in the file."""
        self._file: IO[bytes] | None = None
        self._is_closed = False
        self._readers = 0
        self._lock = threading.Lock()
        """Held while the file is used: its descriptor must not be another file's by then."""

    def write(self, piece: bytes) -> Awaitable[None] | None:
        """Take the next piece; return what has to be awaited before the next one, if anything. It raises `OutOfResources`."""
        self._held += piece
        self.size += len(piece)
        return self._flush() if len(self._held) > HELD_BYTES else None

    async def finish(self) -> None:
        """Note that the body is complete. Raise `OutOfResources`."""
        if self._file is not None and self._held:
            await self._flush()

    async def read(self, start: int, end: int) -> AsyncGenerator[bytes]:
        """Yield the bytes between two places, at most `PIECE_BYTES` at a time. Raise `OSError` once it has been closed."""
        self._readers += 1
        try:
            while start < end:
                stop = min(end, start + PIECE_BYTES)
                if self._file is None:
                    piece = bytes(self._held[start:stop])
                else:
                    piece = await asyncio.to_thread(self._pread, start, stop - start)
                if not piece:
                    raise OSError("the spooled body has been closed")
                yield piece
                start += len(piece)
        finally:
            self._readers -= 1

    def release(self) -> None:
        """Close it unless somebody reads it at the moment."""
        if not self._readers:
            self.close()

    def close(self) -> None:
        """Forget the bytes. A second call does nothing."""
        with self._lock:
            self._is_closed = True
            self._held = bytearray()
            if self._file is not None:
                self._file.close()

    async def _flush(self) -> None:
        data, self._held = self._held, bytearray()
        try:
            await asyncio.to_thread(self._append, data)
        except OSError:
            raise OutOfResources("This instance has no room for another upload. Try again in a moment.") from None

    def _append(self, data: bytearray) -> None:
        with self._lock:
            if self._is_closed:
                return
            if self._file is None:
                self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by `close`
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]

    def _pread(self, start: int, size: int) -> bytes:
        with self._lock:
            return b"" if self._is_closed or self._file is None else os.pread(self._file.fileno(), size, start)
