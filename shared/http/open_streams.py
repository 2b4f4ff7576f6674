"""The streams that are open in this process: how many there may be, and how they end when the process does."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from shared.errors import AnswerError, ServerStopping, TooManyStreams

_log = logging.getLogger(__name__)


class Interruptible(Protocol):
    """A stream that can be ended from outside."""

    def interrupt(self, reason: AnswerError) -> None:
        """End it, honestly."""


class OpenStreams:
    """`maximum`: how many may be open at once; 0 for no limit."""

    def __init__(self, maximum: int = 0) -> None:
        self._maximum = maximum
        self._open: set[Interruptible] = set()
        self._is_shutting_down = False

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def slot(self, stream: Interruptible) -> Iterator[None]:
        """Hold a slot while the stream is open. Raise `TooManyStreams` or `ServerStopping`."""
        if self._is_shutting_down:
            raise ServerStopping("This instance is stopping; try again.", headers={"retry-after": "1"})
        if self._maximum and len(self._open) >= self._maximum:
            raise TooManyStreams("Too many answers are being streamed at the moment.", headers={"retry-after": "1"})
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)

    async def drain(self, seconds: float) -> None:
        """Let the open streams finish for `seconds`, then end the rest with an error."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._open and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.1)
        self._is_shutting_down = True
        if self._open:
            _log.warning("Stopping: ending %d open streams", len(self._open))
        for stream in list(self._open):
            stream.interrupt(ServerStopping("The service is stopping; the answer is incomplete."))
