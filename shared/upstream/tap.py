"""Hands over what arrives of a body from the event loop's own callback: no task is woken, and nothing is queued for it.

    reader ── run ──▶ tapped ── end, break, `take` has had enough, cancelled ──▶ reader, with whatever was not taken

While it is tapped, a reader of aiohttp's has another class, and its tap in the place of its waiter. What arrives is taken one
turn of the loop later, so that all the pieces of one read of the socket come at once, as they would to a task; and so that
nothing of ours runs inside aiohttp's parser. Where aiohttp's reader is built differently (`shapes.tapped_reader`), bodies are
read as usual.
"""

import asyncio
import sys
from typing import Any

import aiohttp

from shared.hosting.shapes import tapped_reader
from shared.upstream.call import Take

IS_SUPPORTED = not tapped_reader(sys.modules)


class _TappedReader(aiohttp.StreamReader):
    """What the parser of the response feeds. Without slots of its own it can take another reader's place."""

    __slots__ = ()

    def feed_data(self, data: bytes, size: int = 0) -> bool:  # noqa: ARG002 - aiohttp's signature
        tap: Any = self._waiter
        tap.arrived(data)
        return False

    def feed_eof(self) -> None:
        tap: Any = self._waiter
        tap.close()
        self.feed_eof()  # the reader's own by now

    def set_exception(self, *error: Any) -> None:
        tap: Any = self._waiter
        tap.close()
        self.set_exception(*error)

    def begin_http_chunk_receiving(self) -> None:
        """Do nothing: where the chunks of the transfer begin and end matters to nobody here."""

    def end_http_chunk_receiving(self) -> None:
        """Do nothing."""


class Tap:
    """One tapping of one reader."""

    __slots__ = ("_content", "_ended", "_is_due", "_loop", "_pieces", "_take")

    def __init__(self, content: aiohttp.StreamReader, take: Take) -> None:
        """Begin with nothing taken. `take` is called until it returns False or raises, or the body ends."""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._content: Any = content
        self._take: Take | None = take
        self._pieces: list[bytes] = []
        self._is_due = False

    async def run(self) -> None:
        """Return once there is something for a reader: the end, a failure, what `take` has left. Raise what it raises."""
        content = self._content
        if not IS_SUPPORTED or type(content) is not aiohttp.StreamReader or _has_something(content):
            return
        self._put_in_place(_TappedReader, self)
        try:
            await self._ended
        finally:
            self.close()

    def arrived(self, data: bytes) -> None:
        """Note a piece."""
        self._pieces.append(data)
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._hand_over)

    def close(self) -> None:
        """Give the reader back its class and what nobody has taken."""
        if self._take is None:
            return
        self._take = None
        content = self._content
        self._put_in_place(aiohttp.StreamReader, None)
        for piece in self._pieces:
            content.feed_data(piece)
        if not self._ended.done():
            self._ended.set_result(None)

    def _put_in_place(self, kind: type[aiohttp.StreamReader], waiter: "Tap | None") -> None:
        self._content.__class__, self._content._waiter = kind, waiter

    def _hand_over(self) -> None:
        take, pieces = self._take, self._pieces
        if take is None:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self._is_due = False
        try:
            goes_on = take(data)
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            if not self._ended.done():  # cancelled in this turn of the loop
                self._ended.set_exception(error)
            goes_on = False
        if not goes_on:
            self.close()


def _has_something(content: aiohttp.StreamReader) -> bool:
    reader: Any = content
    return bool(reader._buffer) or reader._eof or reader._exception is not None
