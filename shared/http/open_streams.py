"""The requests under way in this process: how many may ask the model at once, and how they end when the process does.

    arriving ──── begin ────▶ open
       │                       │
       └── end ──▶ (gone) ◀────┘

Rule 1: only an open request counts against the maximum, so callers who send nothing cannot exhaust it.
Rule 2: a stopping process ends both.
Rule 3: where many are open, what each brings within `write_window` leaves in one write, because the host's work for a write
costs more than this process's own. A few are never held back.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from shared.errors import AnswerError, ServerStopping, TooManyStreams

_log = logging.getLogger(__name__)


WINDOW_PER_STREAM_SECONDS = 0.0003
"""How much longer each open stream makes the window, up to WRITE_WINDOW_SECONDS: with 100 streams it is 30 ms."""
SHORTEST_WINDOW_SECONDS = 0.01
"""A shorter one gathers nothing: models send a token every 10 to 50 ms."""


class Interruptible(Protocol):
    """A request that can be ended from outside."""

    def interrupt(self, reason: AnswerError) -> None:
        """End it, honestly."""


class OpenStreams:
    """`maximum`: how many may be open at once; 0 for no limit. `longest_window`: of `write_window`, in seconds."""

    def __init__(self, maximum: int = 0, *, longest_window: float = 0.0) -> None:
        """Begin with no stream open."""
        self._maximum = maximum
        self._longest_window = longest_window
        self.write_window = 0.0
        """How many seconds after a write a piece of an answer may wait for more; 0 while few are open."""
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
            self._adapt()

    def begin(self, stream: Interruptible) -> None:
        """Open a request that has arrived: the model is to be asked. Raise `TooManyStreams`."""
        if self._maximum and len(self._open) >= self._maximum:
            raise TooManyStreams("Too many answers are being streamed at the moment.", headers={"retry-after": "1"})
        self._arriving.discard(stream)
        self._open.add(stream)
        self._adapt()

    def _adapt(self) -> None:
        window = min(self._longest_window, len(self._open) * WINDOW_PER_STREAM_SECONDS)
        self.write_window = window if window >= SHORTEST_WINDOW_SECONDS else 0.0

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
