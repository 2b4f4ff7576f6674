"""The requests under way in this process: how many may ask the model at once, and how they end when the process does.

    arriving ──── begin ────▶ open
       │                       │
       └── end ──▶ (gone) ◀────┘

Rule 1: only an open request counts against the maximum, so callers who send nothing cannot exhaust it.
Rule 2: a stopping process ends both.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from shared.errors import AnswerError, ServerStopping, TooManyStreams

_log = logging.getLogger(__name__)


class Interruptible(Protocol):
    """A request that can be ended from outside."""

    def interrupt(self, reason: AnswerError) -> None:
        """End it, honestly."""


class OpenStreams:
    """`maximum`: how many may be open at once; 0 for no limit."""

    def __init__(self, maximum: int = 0) -> None:
        """Begin with no stream open."""
        self._maximum = maximum
        self._arriving: set[Interruptible] = set()
        self._open: set[Interruptible] = set()
        self._is_shutting_down = False

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._arriving) + len(self._open)

    @property
    def is_stopping(self) -> bool:
        """Whether the process ends its requests."""
        return self._is_shutting_down

    @contextmanager
    def request(self, stream: Interruptible) -> Iterator[None]:
        """Know the request while it lasts. It is arriving until `begin`. Raise `ServerStopping`."""
        if self._is_shutting_down:
            raise ServerStopping("This instance is stopping; try again.", headers={"retry-after": "1"})
        self._arriving.add(stream)
        try:
            yield
        finally:
            self._arriving.discard(stream)
            self._open.discard(stream)

    def begin(self, stream: Interruptible) -> None:
        """Open a request that has arrived: the model is to be asked. Raise `TooManyStreams`."""
        if self._maximum and len(self._open) >= self._maximum:
            raise TooManyStreams("Too many answers are being streamed at the moment.", headers={"retry-after": "1"})
        self._arriving.discard(stream)
        self._open.add(stream)

    async def drain(self, seconds: float) -> None:
        """Let the requests finish for `seconds`, then end the rest with an error."""
        deadline = asyncio.get_running_loop().time() + seconds
        while len(self) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.1)
        self._is_shutting_down = True
        left = [*self._open, *self._arriving]
        if left:
            _log.warning("Stopping: ending %d open streams", len(left))
        for stream in left:
            stream.interrupt(ServerStopping("The service is stopping; the answer is incomplete."))
