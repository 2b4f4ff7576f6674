"""One timer per stream for three deadlines: commit, heartbeat, silence. Re-armed when it fires, not when a chunk comes."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from shared.config.settings import Settings
from shared.upstream.attempts import Answer

_SHORTEST_PAUSE_SECONDS = 0.01
_NEVER = float("inf")


class Paced(Protocol):
    """What the clock looks at; times are on the loop's clock."""

    is_committed: bool
    is_writing: bool
    last_write: float


class StreamClock:
    """Calls `beat` when the client should hear something, and `silent` when the upstream has said nothing for too long."""

    def __init__(
        self, paced: Paced, answer: Answer, settings: Settings, *, beat: Callable[[], None], silent: Callable[[], None]
    ) -> None:
        self._paced = paced
        self._answer = answer
        self._settings = settings
        self._beat = beat
        self._silent = silent
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._timer = self._loop.call_at(self._next(), self._tick)

    def stop(self) -> None:
        """No more ticks."""
        self._timer.cancel()

    def _beat_at(self) -> float:
        if not self._answer.translation.heartbeat:
            return _NEVER  # such a format has no way to say "still here"; committing early would only fix its status
        if not self._paced.is_committed:
            return self._began_at + self._settings.commit_seconds
        return self._paced.last_write + self._settings.heartbeat_seconds

    def _silent_at(self) -> float:
        if not self._answer.translation.has_content:
            return _NEVER  # before the first content, the attempt has a patience of its own
        return self._answer.last_read + self._settings.upstream_silence_seconds

    def _next(self) -> float:
        now, settings = self._loop.time(), self._settings
        # Whatever is not known yet becomes known later: look again after the shortest of the two pauses.
        look_again = now + min(settings.upstream_silence_seconds, settings.heartbeat_seconds)
        return max(now + _SHORTEST_PAUSE_SECONDS, min(self._beat_at(), self._silent_at(), look_again))

    def _tick(self) -> None:
        if not self._paced.is_writing:  # a slow reader is not a silent upstream
            now = self._loop.time()
            if now >= self._silent_at():
                self._silent()
                return
            if now >= self._beat_at():
                self._beat()
        self._timer = self._loop.call_at(self._next(), self._tick)
