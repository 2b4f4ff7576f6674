"""What the worker was asked to do for one request, and the clock that runs meanwhile: host.json's functionTimeout."""

import asyncio
import uuid
from collections.abc import Callable

LATE_SECONDS = 2.0
"""How much later than functionTimeout the real host acts (measured on host 4.1037)."""


class Invocation:
    """Its clock stops when the handler has returned and the response is delivered.

    When time runs out before the handler has returned, the worker is killed (`overdue`); later only this response is lost
    (`expired`).
    """

    def __init__(self, function: str, expired: Callable[[], None]) -> None:
        self.id = str(uuid.uuid4())
        self.function = function
        self.ended = asyncio.Event()
        """Set when the handler has returned or failed, or its worker has died."""
        self.failed = False
        """Whether the handler has raised, or its worker has died before it returned."""
        self._expired = expired
        self._delivered = False
        self._timer: asyncio.TimerHandle | None = None

    def start_clock(self, seconds: float | None, overdue: Callable[["Invocation"], None]) -> None:
        """Start the clock; None is without end."""
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds + LATE_SECONDS, self._time_is_up, overdue)

    def answered(self, *, failed: bool) -> None:
        """Note that the handler has returned or raised."""
        self.failed = failed
        self.ended.set()
        self._settle()

    def delivered(self) -> None:
        """Note that the response is delivered, or that its client has left."""
        self._delivered = True
        self._settle()

    def abandoned(self) -> None:
        """Note that the worker has died."""
        self.failed = True
        self.ended.set()
        self._stop_clock()

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _settle(self) -> None:
        if self.ended.is_set() and self._delivered:
            self._stop_clock()

    def _time_is_up(self, overdue: Callable[["Invocation"], None]) -> None:
        if self.ended.is_set():
            self._expired()
        else:
            overdue(self)
