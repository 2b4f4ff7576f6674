"""Delivery of one answer as its behaviour specifies: JSON, a stream, raw bytes, or an error response."""

import asyncio
import base64
from collections.abc import AsyncIterable

import msgspec

from dev.simulator.behaviour import Behaviour
from dev.simulator.body import Body
from dev.simulator.call import Json
from dev.simulator.headers import headers, with_own
from dev.simulator.play import CONNECTION_ENDS, Player, end, forever
from dev.simulator.refusals import Refusal
from dev.simulator.script import Dialect, Frame, script
from dev.simulator.wire import Exchange

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
DEFAULT = Behaviour()


class Delivery:
    def __init__(self, exchange: Exchange, behaviour: Behaviour = DEFAULT, *, number: int = 0) -> None:
        self._exchange = exchange
        self._behaviour = behaviour
        self._number = number
        self._body = Body(exchange, cut_bytes=behaviour.cut_bytes, cut_seed=behaviour.cut_seed, gzip=behaviour.gzip)

    async def begin(self) -> bool:
        """Apply what comes before the head. Return False if no head will be sent."""
        behaviour = self._behaviour
        if behaviour.sndbuf is not None:
            self._exchange.set_send_buffer(behaviour.sndbuf)
        if behaviour.accept_delay or behaviour.header_delay:
            await asyncio.sleep(behaviour.accept_delay + behaviour.header_delay)
        headless = behaviour.after == -1 and behaviour.end in CONNECTION_ENDS
        if behaviour.never_answer or (headless and behaviour.end == "stall"):
            await forever()
        if headless:
            await (self._exchange.reset() if behaviour.end == "reset" else self._exchange.close())
        return not headless

    async def stream(self, dialect: Dialect, interval: float, *, content_type: str = EVENT_STREAM) -> None:
        player = await self._player(content_type)
        for step in script(dialect, self._behaviour, interval):
            if not await player.take(step):
                return
        await player.finish()

    async def watched(self, frames: AsyncIterable[Frame]) -> None:
        """Deliver a stream of given frames."""
        player = await self._player()
        async for frame in frames:
            if not await player.take(frame):
                return
        await player.finish()

    async def json(self, answer: Json) -> None:
        await self.whole(msgspec.json.encode(answer), JSON)

    async def whole(self, data: bytes, content_type: str) -> None:
        """Deliver a body of this type, with its length."""
        behaviour = self._behaviour
        half = data[: len(data) // 2]
        if behaviour.end in ("malformed", "eof"):
            data = half
        await self._body.head(behaviour.status or 200, self._headers(content_type), length=len(data))
        if behaviour.end in ("reset", "cut", "stall"):
            await self._body.write(half)
            await end(self._body, behaviour.end)
            return
        await self._body.write(data)
        await self._body.finish()

    async def refuse(self, refusal: Refusal) -> None:
        html = isinstance(refusal.body, str)
        data = refusal.body.encode() if isinstance(refusal.body, str) else msgspec.json.encode(refusal.body)
        found = headers("text/html" if html else JSON, number=self._number) | refusal.headers
        await self._body.head(refusal.status, with_own(found, self._behaviour), length=len(data))
        await self._body.write(data)
        await self._body.finish()

    async def raw(self, *, stream: bool) -> None:
        """Deliver the behaviour's bytes and headers, without additions except framing."""
        behaviour = self._behaviour
        writes = [(0.0, behaviour.raw)] if isinstance(behaviour.raw, str) else behaviour.raw or []
        found = with_own({"content-type": EVENT_STREAM if stream else JSON}, behaviour)
        await self._body.head(behaviour.status or 200, found)
        for delay, data in writes:
            if delay:
                await self._body.send_head()
                await asyncio.sleep(delay)
            await self._body.write(base64.b64decode(data))
        await (end(self._body, behaviour.end) if behaviour.end in CONNECTION_ENDS else self._body.finish())

    async def _player(self, content_type: str = EVENT_STREAM) -> Player:
        await self._body.head(200, self._headers(content_type))
        if self._behaviour.start_delay:
            await self._body.send_head()  # even if bursts delay the opening frames
        return Player(self._body, self._behaviour)

    def _headers(self, content_type: str) -> dict[str, str]:
        return with_own(headers(content_type, number=self._number), self._behaviour)
