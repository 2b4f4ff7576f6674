"""One timer per stream for three deadlines: commit, heartbeat, silence. Re-armed when it fires, not when a chunk comes."""

import asyncio
from collections.abc import Callable

from shared.config.settings import Settings
from shared.http.outbound import Outbound
from shared.upstream.attempts import Answer
from shared.upstream.stream import Stream

_SHORTEST_PAUSE_SECONDS = 0.01
_NEVER = float("inf")


class StreamClock:
    """Calls `heartbeat` when the client should hear something, `silent` when the upstream sent nothing for too long.

    `source` returns what is being answered at the moment. Times are on the loop's clock.
    """

    def __init__(
        self,
        source: Callable[[], Answer | Stream],
        out: Outbound,
        settings: Settings,
        *,
        heartbeat: Callable[[], None],
        silent: Callable[[], None],
    ) -> None:
        self._source = source
        self._out = out
        self._settings = settings
        self._heartbeat = heartbeat
        self._silent = silent
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._timer = self._loop.call_at(self._next(), self._tick)

    def stop(self) -> None:
        """Cancel the timer."""
        self._timer.cancel()

    def _heartbeat_at(self) -> float:
        if not self._source().translation.heartbeat:
            return _NEVER  # such a format has no harmless bytes; committing early would only fix its status
        if self._out.is_open:
            return self._began_at + self._settings.commit_seconds
        return self._out.last_write + self._settings.heartbeat_seconds

    def _silent_at(self) -> float:
        source = self._source()
        if isinstance(source, Answer):
            return _NEVER  # before the first content, the attempt has a deadline of its own
        # What the client took long to read is no silence of the upstream's.
        return max(source.last_read, self._out.last_block) + self._settings.upstream_silence_seconds

    def _next(self) -> float:
        now, settings = self._loop.time(), self._settings
        # Whatever is not known yet becomes known later: look again after the shorter of the two pauses.
        look_again = now + min(settings.upstream_silence_seconds, settings.heartbeat_seconds)
        return max(now + _SHORTEST_PAUSE_SECONDS, min(self._heartbeat_at(), self._silent_at(), look_again))

    def _tick(self) -> None:
        if not self._out.is_writing:  # a slow reader is not a silent upstream
            now = self._loop.time()
            if now >= self._silent_at():
                self._silent()
                return
            if now >= self._heartbeat_at():
                self._heartbeat()
        self._timer = self._loop.call_at(self._next(), self._tick)
