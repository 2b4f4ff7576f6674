"""One timer for all paced streams, spread evenly over the slots of their interval."""

import asyncio
from collections.abc import Callable
from typing import Protocol

TICK_SECONDS = 0.001
LATE_SECONDS = 0.005


class Step(Protocol):
    """A stream that sends its next chunk on demand."""

    def step(self) -> None:
        """Send the next chunk."""


class Wheel:
    """A wheel that turns once per interval while it has streams. A late turn catches up slot by slot, and is counted."""

    def __init__(self, seconds: float, on_late: Callable[[], None]) -> None:
        self._slots: list[set[Step]] = [set() for _ in range(max(1, round(seconds / TICK_SECONDS)))]
        self._on_late = on_late
        self._count = 0
        self._next_slot = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, stream: Step) -> None:
        """Add the stream to the emptiest slot."""
        min(self._slots, key=len).add(stream)
        self._count += 1
        if self._timer is None:
            self._due = asyncio.get_running_loop().time()
            self._turn()

    def remove(self, stream: Step) -> None:
        """Remove the stream."""
        for slot in self._slots:
            if stream in slot:
                slot.discard(stream)
                self._count -= 1

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._due > LATE_SECONDS:
            self._on_late()
        while self._due <= now:
            for stream in tuple(self._slots[self._next_slot]):
                stream.step()
            self._next_slot = (self._next_slot + 1) % len(self._slots)
            self._due += TICK_SECONDS
        # At least one tick: the loop rounds shorter times to zero and would spin.
        self._timer = loop.call_later(TICK_SECONDS, self._turn) if self._count else None
