"""Who reads which response in this process, and the end of those that nobody has come back to.

A reader that is lost may be on its way to another process, which nobody here hears of: so only a response that was left here,
and to which nobody has come back here, is cancelled, `seconds` after the last reader left.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from shared.errors import AnswerError
from shared.resume.link import Link

_log = logging.getLogger(__name__)

CANCEL_SECONDS = 30.0
"""How long the request that cancels a response may take."""


class Grace:
    """See `body.Readers`. `seconds`: 0 cancels nothing. `is_stopping`: whether the process sends its readers elsewhere."""

    def __init__(self, seconds: float, is_stopping: Callable[[], bool]) -> None:
        """Begin with no reader."""
        self._seconds = seconds
        self._is_stopping = is_stopping
        self._readers: Counter[str] = Counter()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._cancelling: set[asyncio.Task[None]] = set()

    def came(self, response_id: str) -> None:
        """Note a reader: the response goes on."""
        self._readers[response_id] += 1
        self.forget(response_id)

    def left(self, link: Link, response_id: str, *, is_over: bool) -> None:
        """Note that a reader has left; the last one of a response that goes on starts its time."""
        self._readers[response_id] -= 1
        if self._readers[response_id] > 0:
            return
        del self._readers[response_id]
        if is_over or not self._seconds or self._is_stopping():
            return
        loop = asyncio.get_running_loop()
        self._timers[response_id] = loop.call_later(self._seconds, self._end, link, response_id)

    def forget(self, response_id: str) -> None:
        """Cancel no more what was left: somebody has come back to it, or has stopped it."""
        if (timer := self._timers.pop(response_id, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """Cancel nothing any more: what was left goes on to its own end."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for task in self._cancelling:
            task.cancel()

    def _end(self, link: Link, response_id: str) -> None:
        self._timers.pop(response_id, None)
        task = asyncio.get_running_loop().create_task(self._cancel(link, response_id))
        self._cancelling.add(task)
        task.add_done_callback(self._cancelling.discard)

    async def _cancel(self, link: Link, response_id: str) -> None:
        try:
            async with asyncio.timeout(CANCEL_SECONDS):
                await link.cancel(response_id)
        except (AnswerError, TimeoutError) as error:
            _log.warning("%s: an answer that nobody reads could not be cancelled: %s", link.backend.name, _name(error))
        else:
            _log.info("%s: cancelled an answer that nobody had read for %g s", link.backend.name, self._seconds)


def _name(error: Exception) -> str:
    return error.code or str(error.status) if isinstance(error, AnswerError) else "no answer in time"
