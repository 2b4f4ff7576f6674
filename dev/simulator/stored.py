"""Stored responses: retrievable ones, and background ones that continue without a client.

https://learn.microsoft.com/azure/foundry/openai/how-to/responses#background-tasks. How a stream ends whose response is
cancelled is not documented; here it ends without a terminal event.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from dev.simulator.call import Call, Json
from dev.simulator.play import CONNECTION_ENDS
from dev.simulator.responses import Responses
from dev.simulator.script import Frame, Pause, Stop, script

MOST_RESPONSES = 10_000


class Stored:
    """One response, its events so far, and the generating task if it runs in the background."""

    def __init__(self, call: Call, dialect: Responses) -> None:
        self.call = call
        self.dialect = dialect
        self.frames: list[Frame] = []
        self._began = time.monotonic()
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def run(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            # The end of the connection concerns only its client: the response continues.
            behaviour = self.call.behaviour
            if behaviour.end in CONNECTION_ENDS:
                behaviour = msgspec.structs.replace(behaviour, end="done")
            for step in script(self.dialect, behaviour, self.call.interval):
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                elif isinstance(step, Stop):
                    break
                else:
                    self.frames.append(step)
                    self._ring()
        finally:
            self._task = None
            self._ring()

    async def watch(self, *, after: int = -1) -> AsyncIterator[Frame]:
        """Yield the events with higher sequence numbers, including future ones."""
        next_frame = 0
        while True:
            while next_frame < len(self.frames):
                frame = self.frames[next_frame]
                next_frame += 1
                if frame.sequence > after:
                    yield frame
            if self._task is None:
                return
            changed = self._changed
            await changed.wait()

    async def cancel(self) -> None:
        """End the response. Idempotent: the first end counts."""
        task = self._task
        if task is not None:
            self.dialect.object.end("cancelled")
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._task = None  # a task that never started has not done this
            self._ring()

    @property
    def is_running(self) -> bool:
        return self._task is not None

    @property
    def missing(self) -> bool:
        """Return whether a retrieval is too early (a just-finished response can be a 404 for a while)."""
        ended = self.dialect.object.ended_at
        return ended is not None and time.time() - ended < self.call.behaviour.missing_for

    @property
    def is_resumable(self) -> bool:
        """Return whether its stream can be taken up again: begun in the background as a stream, and not too old."""
        behaviour = self.call.behaviour
        window = behaviour.resume_window
        is_young = window is None or time.monotonic() - self._began < window
        return self.call.stream and self.dialect.object.background and is_young and not behaviour.resume_refused

    def input_items(self) -> list[Json]:
        given: Any = self.call.body.get("input") or []
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        found = []
        for number, item in enumerate(items):
            content = item.get("content", "")
            if isinstance(content, str):
                content = [{"type": "input_text", "text": content}]
            found.append(
                {"type": "message", "status": "completed", **item, "id": f"msg_in{number}", "content": content}
            )
        return found

    def _ring(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Store:
    """The responses of one backend; the newest are kept."""

    def __init__(self) -> None:
        self._responses: dict[str, Stored] = {}

    def keep(self, call: Call, dialect: Responses) -> Stored:
        stored = Stored(call, dialect)
        self._responses[dialect.object.id] = stored
        if len(self._responses) > MOST_RESPONSES:
            del self._responses[next(iter(self._responses))]
        return stored

    def get(self, response_id: str) -> Stored | None:
        stored = self._responses.get(response_id)
        return None if stored is None or stored.missing else stored

    def item_ended_at(self, item_id: str) -> float | None:
        """When the response with this output item ended, in seconds since 1970; None where there is no such item yet."""
        for stored in reversed(self._responses.values()):
            if any(item["id"] == item_id for item in stored.dialect.object.output):
                return stored.dialect.object.ended_at
        return None

    def delete(self, response_id: str) -> bool:
        return self._responses.pop(response_id, None) is not None

    @property
    def running(self) -> int:
        """How many responses go on in the background."""
        return sum(stored.is_running for stored in self._responses.values())

    async def clear(self) -> None:
        responses, self._responses = self._responses, {}
        for stored in responses.values():
            await stored.cancel()
