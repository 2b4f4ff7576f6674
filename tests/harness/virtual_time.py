"""An event loop whose clock jumps to the next timer when nothing else can happen: minutes pass in milliseconds, exactly."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from typing import Any

_RESOLUTION = 1e-6
"""Seconds: timers that are closer together fire in one round."""


class NothingHappensError(RuntimeError):
    """Every task waits for something that nobody will do: outside a test, this is a hang."""


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for no one: reports what is ready, or moves the clock forward by the time that it was asked to wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready. Raise `NothingHappensError` if the loop would wait forever."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise NothingHappensError("nothing is scheduled, and nothing is ready")
            self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` begins at 0 and is in seconds. For code that waits only on timers and on itself: no sockets.

    What is given to a thread is done at once, without one.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._timers: list[asyncio.TimerHandle] = []

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._jumping.now

    def call_at[*Ts](
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule as usual, and remember the timer."""
        timer = super().call_at(when, callback, *args, context=context)
        self._timers.append(timer)
        return timer

    def run_in_executor[T, *Ts](
        self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call it, and return what it returned or raised."""
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        return done

    def timers(self) -> list[asyncio.TimerHandle]:
        """Return the timers that are still to fire."""
        return [timer for timer in self._timers if not timer.cancelled() and timer.when() > self.time() + _RESOLUTION]


def run[T](main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
