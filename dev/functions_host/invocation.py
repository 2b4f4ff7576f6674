"""What the worker was asked to do for one request, and the clock that runs meanwhile: host.json's functionTimeout."""

import asyncio
import uuid
from collections.abc import Callable


class Invocation:
    """Its clock stops when the handler has returned and the response is through.

    Time that runs out before the handler returned is the worker's fault (`overdue`); later only this response is lost
    (`expired`).
    """

    def __init__(self, function: str, expired: Callable[[], None]) -> None:
        self.id = str(uuid.uuid4())
        self.function = function
        self.ended = asyncio.Event()
        """Set when the handler has returned or failed, or its worker has died."""
        self._expired = expired
        self._answered = False
        self._forwarded = False
        self._timer: asyncio.TimerHandle | None = None

    def start_clock(self, seconds: float | None, overdue: Callable[["Invocation"], None]) -> None:
        """None is without end."""
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._time_is_up, overdue)

    def answered(self) -> None:
        """The handler has returned."""
        self._answered = True
        self.ended.set()
        self._settle()

    def forwarded(self) -> None:
        """The response is through, or its client has gone."""
        self._forwarded = True
        self._settle()

    def abandoned(self) -> None:
        """The worker has died: nothing is left to be waited for."""
        self.ended.set()
        self._stop_clock()

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _settle(self) -> None:
        if self._answered and self._forwarded:
            self._stop_clock()

    def _time_is_up(self, overdue: Callable[["Invocation"], None]) -> None:
        if self._answered:
            self._expired()
        else:
            overdue(self)
