"""A deadline that a busy process does not bring nearer: it counts the time in which the event loop could have taken an answer.

Where hundreds of requests come at once, the loop may be busy with them for seconds. An answer of the store that waits in the
socket meanwhile is not late, and the store is not failing.
"""

import asyncio
from types import TracebackType

TICK_SECONDS = 0.1
"""A turn of the loop that takes longer counts as so much."""


class Patience:
    """How long something may be waited for, in one or several parts: `async with` it for each. Raise `TimeoutError` there."""

    __slots__ = ("_began_at", "_deadline", "_timer", "left")

    def __init__(self, seconds: float) -> None:
        """Begin with nothing used up."""
        self.left = seconds
        self._deadline: asyncio.Timeout
        self._timer: asyncio.TimerHandle
        self._began_at = 0.0

    async def __aenter__(self) -> "Patience":
        """Begin to count."""
        self._deadline = asyncio.timeout(None)
        await self._deadline.__aenter__()
        self._wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop counting."""
        self._timer.cancel()
        self.left -= min(TICK_SECONDS, asyncio.get_running_loop().time() - self._began_at)
        await self._deadline.__aexit__(kind, error, trace)

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._began_at = loop.time()
        self._timer = loop.call_later(max(0.0, min(TICK_SECONDS, self.left)), self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self.left -= min(TICK_SECONDS, loop.time() - self._began_at)
        if self.left > 1e-6:
            self._wait()
        else:
            self._began_at = loop.time()
            self._deadline.reschedule(self._began_at)
