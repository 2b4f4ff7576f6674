"""One timer per stream for all its deadlines. Re-armed when it fires, not when a chunk comes.

deadline     counts from                            until
commit       the request's arrival                  COMMIT_SECONDS            heartbeat: the head goes out
heartbeat    what was sent last                     HEARTBEAT_SECONDS         heartbeat
blanks       the request's arrival                  PADDING_SECONDS           heartbeat: the head goes out with a blank,
                                                                              where the answer leaves in one piece
quiet        the request's arrival                  QUIET_SECONDS             end: UpstreamTimeout, where nothing can be
                                                                              sent before the first content
silence      the upstream's last complete event     UPSTREAM_SILENCE_SECONDS  end: UpstreamSilent
                                                    (before content FIRST_CONTENT_SECONDS), unless the upstream can be
                                                    taken up again
client       what the client was sent last, while   CLIENT_SILENCE_SECONDS    end: ClientTooSlow
             it takes nothing
function     the call of the handler                functionTimeout less      end: FunctionTimeout
                                                    FUNCTION_TIMEOUT_MARGIN_SECONDS
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from shared.config.settings import Settings
from shared.errors import AnswerError, FunctionTimeout, UpstreamSilent, UpstreamTimeout
from shared.http.body import ClientLeft
from shared.http.outbound import CLIENT_SILENCE_SECONDS, ClientTooSlow, Outbound
from shared.translation import Translation
from shared.upstream.stream import Stream

PADDING_SECONDS = 200.0
"""When an answer that leaves in one piece is given up a status for, so that the platform does not cut the connection."""
QUIET_SECONDS = 225.0
"""When one ends that cannot send anything yet: 5 s before Azure's load balancer cuts a connection that says nothing."""
_SHORTEST_PAUSE_SECONDS = 0.01
_NEVER = float("inf")


class Source(Protocol):
    """What is being answered: what precedes the answer, an answer that has not begun, or its stream."""

    @property
    def translation(self) -> Translation:
        """The translation, which knows the format's heartbeat."""


class StreamClock:
    """Calls `heartbeat` when the client should hear something, `end` once when the answer may not go on, with the reason.

    `source` returns what is being answered at the moment. `ends_at`: when it must end whatever happens. Times are on the
    loop's clock.
    """

    def __init__(  # noqa: PLR0913 - what it looks at, and what it calls
        self,
        source: Callable[[], Source],
        out: Outbound,
        settings: Settings,
        *,
        ends_at: float,
        heartbeat: Callable[[], None],
        end: Callable[[ClientLeft | AnswerError], None],
    ) -> None:
        """Start the timer."""
        self._source = source
        self._out = out
        self._settings = settings
        self._ends_at = ends_at
        self._heartbeat = heartbeat
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._began_at = self._loop.time()
        self._timer = self._loop.call_at(self._next(), self._tick)

    def stop(self) -> None:
        """Cancel the timer."""
        self._timer.cancel()

    def _heartbeat_at(self) -> float:
        translation = self._source().translation
        if self._out.is_waiting or not (translation.heartbeat or translation.padding):
            return _NEVER  # such a format has no harmless bytes; committing early would only fix its status
        if self._out.is_open:
            return self._began_at + (self._settings.commit_seconds if translation.heartbeat else PADDING_SECONDS)
        return self._out.last_write + self._settings.heartbeat_seconds

    def _silent_at(self) -> float:
        source = self._source()
        if not isinstance(source, Stream) or self._out.is_waiting:
            # Before the first content the search and each attempt have deadlines; a slow reader is not a silent upstream.
            return _NEVER
        # What the client took long to read is no silence of the upstream's; unless it was a comment, which is no event.
        is_event = source.last_event == source.last_read
        heard_at = max(source.last_event, self._out.last_block) if is_event else source.last_event
        settings = self._settings
        has_content = source.translation.progress.has_content
        return heard_at + (settings.upstream_silence_seconds if has_content else settings.first_content_seconds)

    def _quiet_at(self) -> float:
        translation = self._source().translation
        can_speak = not self._out.is_open or translation.heartbeat or translation.padding
        return _NEVER if can_speak else self._began_at + QUIET_SECONDS

    def _too_slow_at(self) -> float:
        out, source = self._out, self._source()
        if not out.is_waiting:
            return _NEVER
        # A write begins right after a read, so nothing has to be noted for each of them; unless reading goes on.
        is_read = out.is_writing and not out.is_finishing
        began_at = source.last_read if isinstance(source, Stream) and is_read else out.last_write
        return max(began_at, out.last_write) + CLIENT_SILENCE_SECONDS

    def _next(self) -> float:
        now, settings = self._loop.time(), self._settings
        # Whatever is not known yet becomes known later: look again after the shortest of the pauses.
        look_again = now + min(settings.upstream_silence_seconds, settings.heartbeat_seconds, CLIENT_SILENCE_SECONDS)
        due = min(
            self._heartbeat_at(), self._silent_at(), self._too_slow_at(), self._quiet_at(), self._ends_at, look_again
        )
        return max(now + _SHORTEST_PAUSE_SECONDS, due)

    def _overdue(self, now: float) -> ClientLeft | AnswerError | None:
        if now >= self._ends_at:
            return FunctionTimeout("The answer took as long as the operator lets one take; it is incomplete.")
        if now >= self._silent_at() and not self._renews():
            return UpstreamSilent("The upstream stopped in the middle of the response.")
        if now >= self._quiet_at():
            return UpstreamTimeout("The model's service did not begin to answer in time.")
        return ClientTooSlow() if now >= self._too_slow_at() else None

    def _renews(self) -> bool:
        source = self._source()
        return isinstance(source, Stream) and source.renew()

    def _tick(self) -> None:
        now = self._loop.time()
        reason = self._overdue(now)
        if reason is not None:
            self._end(reason)
            return
        if now >= self._heartbeat_at():
            self._heartbeat()
        self._timer = self._loop.call_at(self._next(), self._tick)
