"""Playback of a script: timing, grouping of frames into writes, and early ends of the connection."""

import asyncio

from dev.simulator.behaviour import Behaviour
from dev.simulator.body import Body
from dev.simulator.script import Frame, Pause, Step, Stop

LATE_SECONDS = 0.25
BREATH_FRAMES = 64
END_DELAY_SECONDS = 0.2
CONNECTION_ENDS = ("eof", "reset", "cut", "stall")


class Player:
    """A player of one script. `take` plays a step and returns whether the answer continues; `finish` ends a complete answer."""

    def __init__(self, body: Body, behaviour: Behaviour) -> None:
        self._body = body
        self._behaviour = behaviour
        self._clock = asyncio.get_running_loop().time
        self._due = self._clock()
        self._held: list[Frame] = []
        self._frames = 0
        self._tokens = 0
        self._breath = 0
        self._plain = behaviour.burst == 1 and behaviour.line_end == "\n" and not behaviour.comments
        self._early_end = behaviour.end in CONNECTION_ENDS

    async def take(self, step: Step) -> bool:
        if isinstance(step, Pause):
            await self._pause(step.seconds)
            return True
        if self._early_end and self._ends_before(step):
            await self._flush()
            await self._wait_before_end()
            await end(self._body, self._behaviour.end)
            return False
        if isinstance(step, Stop):
            await self.finish()
            return False
        self._tokens += step.tokens
        if self._plain:
            await self._body.write(step.data)
            if step.tokens:
                self._body.exchange.record.sent_tokens(step.tokens)
            self._breath += 1
            if self._breath >= BREATH_FRAMES and not step.closing:  # a stream without pauses must not starve others
                self._breath = 0
                await asyncio.sleep(0)
            return True
        self._held.append(step)
        if self._behaviour.burst and len(self._held) >= self._behaviour.burst:
            await self._flush()
        return True

    async def finish(self) -> None:
        await self._flush()
        await self._body.finish()

    def _ends_before(self, step: Frame | Stop) -> bool:
        if isinstance(step, Stop) or step.closing:
            return True
        after = self._behaviour.after
        return step.tokens > 0 and after is not None and self._tokens >= after

    async def _wait_before_end(self) -> None:
        seconds = self._behaviour.end_delay
        if seconds is None:
            seconds = END_DELAY_SECONDS if self._tokens and self._behaviour.end in ("reset", "cut") else 0.0
        if seconds:
            await asyncio.sleep(seconds)

    async def _pause(self, seconds: float) -> None:
        self._breath = 0
        now = self._clock()
        # Drift-free while on time; a stream that was blocked does not catch up.
        self._due = max(self._due, now - LATE_SECONDS) + seconds
        if seconds == float("inf"):
            await self._flush()
            await forever()
        if self._due > now:
            await asyncio.sleep(self._due - now)

    async def _flush(self) -> None:
        if not self._held:
            return
        parts = []
        every, comment = self._behaviour.comments, self._behaviour.comment.encode()
        for frame in self._held:
            parts.append(frame.data)
            self._frames += 1
            if every and self._frames % every == 0:
                parts.append(comment)
        data = b"".join(parts)
        if self._behaviour.line_end != "\n":
            data = data.replace(b"\n", self._behaviour.line_end.encode())  # JSON contains no raw line feeds
        tokens = sum(frame.tokens for frame in self._held)
        self._held.clear()
        await self._body.write(data)
        if tokens:
            self._body.exchange.record.sent_tokens(tokens)


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def end(body: Body, how: str) -> None:
    """End an incomplete answer: cleanly for HTTP (`eof`), with a FIN, with a RST, or never."""
    await body.send_head()
    if how == "eof":
        body.exchange.record.end("cut_by_us")
        await body.finish()
    elif how == "cut":
        await body.exchange.close()
    elif how == "reset":
        await body.exchange.reset()
    else:
        await forever()
