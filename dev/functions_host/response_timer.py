"""The forwarder's limit on silence: 240 s without a byte in either direction end a request."""

import asyncio
from collections.abc import Callable


class ResponseTimer:
    """Calls `expired` once, after so long without a `touch`."""

    def __init__(self, seconds: float, expired: Callable[[], None]) -> None:
        self._seconds, self._expired = seconds, expired
        self._last = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to count."""
        self.touch()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._check)

    def touch(self) -> None:
        """Note a byte."""
        self._last = asyncio.get_running_loop().time()

    def stop(self) -> None:
        """Never expire."""
        if self._timer is not None:
            self._timer.cancel()

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = self._last + self._seconds
        if loop.time() >= deadline:
            self._expired()
        else:
            self._timer = loop.call_at(deadline, self._check)
