"""The harness's virtual time for hundreds of thousands of cases on one loop, and how long each step of it takes."""

import asyncio
import selectors
import time
from collections.abc import Callable
from contextvars import Context
from typing import Any

from tests.harness.virtual_time import VirtualTimeLoop

HANG_SECONDS = 3600.0
"""Longer than anything may take, in virtual time."""


class MeasuredLoop(VirtualTimeLoop):
    """`longest_block` is the most CPU time, in seconds, between two rounds: for so long no other stream would go on."""

    def __init__(self) -> None:
        super().__init__()
        self.longest_block = 0.0
        self._since = time.thread_time()
        self._look = self._jumping.select
        self._jumping.select = self._measured  # type: ignore[method-assign]

    def call_at[*Ts](
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule, and remember nothing."""
        return asyncio.SelectorEventLoop.call_at(self, when, callback, *args, context=context)

    def run_in_executor[*Ts, T](self, executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run it here: there is no time in which a thread could run. It is no block, since a thread's work is none."""
        began, done = time.thread_time(), self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:
            done.set_exception(error)
        self._since += time.thread_time() - began
        return done

    def _measured(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.longest_block = max(self.longest_block, time.thread_time() - self._since)
        ready = self._look(timeout)
        self._since = time.thread_time()
        return ready
