"""Reads one answer's body through its translation, and the two places where a read may take only so long."""

import asyncio
from collections.abc import Callable

from shared.errors import AnswerError, UpstreamCut
from shared.progress import Phase
from shared.translation import Translation
from shared.upstream.call import Body, FlowingBody

EXPLANATION_SECONDS = 1.0
"""How long an announced failure waits for the event that explains it."""
LAST_TURNS = 3
"""For how many turns of the event loop an answer that its client has left is read on: each looks at the sockets once."""
LAST_BYTES = 1024 * 1024
TRAILER_SECONDS = 0.25
"""How long a finished answer waits for the upstream's own end, so that the connection can be used again."""


class Reader:
    """One body and the translation that reads it. Each `step` is one read; `translation.progress` says when it is over."""

    def __init__(self, body: Body, translation: Translation) -> None:
        """Begin with nothing read."""
        self.translation = translation
        self._body = body
        self._flow = body.flow if isinstance(body, FlowingBody) else None
        self._now = asyncio.get_running_loop().time
        self.last_read = self.last_event = self._now()
        """When the upstream last sent anything, and when it last completed an event, on the loop's clock."""

    async def step(self) -> bytes:
        """Read once; return what can leave, b'' where nothing can yet. Raise `UpstreamCut` for a connection that broke."""
        translation, body = self.translation, self._body
        is_failing = translation.progress.phase is Phase.FAILING
        data = await (_read_explanation(body) if is_failing else body.read())
        if data:
            return self._translated(data)
        self.last_read = self._now()
        return translation.end()

    async def flow(self, offer: Callable[[bytes], bool]) -> bytes:
        """Offer each block the moment it has come, without waking this task; return the first that was not taken.

        So it goes while there is nothing but content; otherwise this is a `step`.
        """
        flow, progress, left = self._flow, self.translation.progress, b""
        if flow is None or progress.phase is not Phase.CONTENT:
            return await self.step()

        def take(data: bytes) -> bool:
            nonlocal left
            block = self._translated(data)
            if progress.phase is Phase.CONTENT and (not block or offer(block)):
                return True
            left = block
            return False

        await flow(take)
        return left if left or progress.phase is not Phase.CONTENT else await self.step()

    def _translated(self, data: bytes) -> bytes:
        self.last_read = self._now()
        progress = self.translation.progress
        events = progress.events
        block = self.translation.feed(data)
        if progress.events != events:
            self.last_event = self.last_read
        return block

    def forgive_silence(self) -> None:
        """Count the silence of the upstream from now on."""
        self.last_read = self.last_event = self._now()

    async def finish(self) -> None:
        """Wait a moment for the upstream's own end of a complete answer; only the connection's reuse is at stake."""
        if self._body.at_end():
            return
        try:
            async with asyncio.timeout(TRAILER_SECONDS):
                while await self._body.read():
                    pass
        except (TimeoutError, UpstreamCut):
            pass

    async def count_the_rest(self) -> None:
        """Tell the upstream to stop, and read what had arrived by then: the model has made it, and it counts."""
        left = LAST_BYTES
        self._body.hang_up()
        try:
            for _ in range(LAST_TURNS):
                await asyncio.sleep(0)
                while left > 0 and (data := _arrived(self._body)):
                    self.translation.feed(data)
                    left -= len(data)
        except AnswerError:
            pass

    def close(self) -> None:
        """Release the body at once, finished or not."""
        self._body.close()


def _arrived(body: Body) -> bytes:
    """Return what can be read without waiting; b'' for nothing. Raise `UpstreamCut`."""
    reading = body.read()
    try:
        reading.send(None)
    except StopIteration as done:
        data: bytes = done.value
        return data
    reading.close()
    return b""


async def _read_explanation(body: Body) -> bytes:
    """Return what follows an announced failure; b'' where it stays unexplained, whatever became of the connection."""
    try:
        async with asyncio.timeout(EXPLANATION_SECONDS):
            return await body.read()
    except (TimeoutError, UpstreamCut):
        return b""
