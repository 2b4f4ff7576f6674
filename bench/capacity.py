"""The number of streams at 50 tokens per second that one process holds: streams are added until chunks are late."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bench.connection import BadAnswer, Connection, Recorder
from bench.load import Meter, Share
from bench.plan import ENDLESS, PACED_SECONDS, Plan
from bench.results import quantile
from bench.scale import Scale
from bench.service import ServiceProcess
from bench.subject import Subject

MOST_DELAY_SECONDS = 0.05
LEAST_ARRIVED = 0.97
"""Minimum share of the chunks due in the window that must arrive."""
RAMP_SECONDS = 0.005
"""Pause between two openings, so that the cost of requests does not count as delay of chunks."""
LEAVING_SECONDS = 20.0
"""Time for a subject to notice that its clients have disconnected."""
LOOKS = 3
"""Attempts at a level before it counts as too high, in case another process interfered."""


@dataclass(frozen=True, slots=True)
class Level:
    """The measurement with a number of open streams."""

    streams: int
    delay_p99: float
    held: bool
    share: Share


async def climb(
    subject: Subject, service: ServiceProcess, scale: Scale, *, start: int, left_behind: set[str]
) -> list[Level]:
    """Measure the levels up to the first that is not held, or to the last one.

    Start at the highest level not above `start`; if that is not held, start again at a lower one. Add the subject's name to
    `left_behind` if it does not close the model's streams after its clients have disconnected.
    """
    levels = _levels_from(scale.levels, start)
    seen = await _climb(subject, service, scale, levels, left_behind)
    if seen[-1].held or len(seen) > 1 or levels[0] == scale.levels[0]:
        return seen
    return await climb(subject, service, scale, start=levels[0] // 2, left_behind=left_behind)


async def _climb(
    subject: Subject, service: ServiceProcess, scale: Scale, levels: Sequence[int], left_behind: set[str]
) -> list[Level]:
    await service.play(Plan(PACED_SECONDS, ENDLESS))
    crowd = _Crowd(subject)
    seen: list[Level] = []
    try:
        for streams in levels:
            await crowd.grow(streams)
            await asyncio.sleep(scale.settle_seconds)
            for _ in range(LOOKS):
                level = await crowd.look(service, scale.level_seconds)
                if level.held:
                    break
            seen.append(level)
            if not level.held:
                break
    finally:
        crowd.leave()
        try:
            await service.until_idle(seconds=LEAVING_SECONDS)
        except TimeoutError:
            left_behind.add(subject.name)
            await service.cut_streams()
    return seen


def _levels_from(levels: Sequence[int], start: int) -> Sequence[int]:
    below = [index for index, level in enumerate(levels) if level <= start]
    return levels[below[-1] if below else 0 :]


class _Crowd:
    """The open streams."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._recorder = Recorder()
        self._open: list[tuple[Connection, asyncio.Future[None]]] = []

    async def grow(self, streams: int) -> None:
        while len(self._open) < streams:
            connection, _, done = await self._subject.ask(self._recorder)
            self._open.append((connection, done))
            await asyncio.sleep(RAMP_SECONDS)

    async def look(self, service: ServiceProcess, seconds: float) -> Level:
        recorder, streams = self._recorder, len(self._open)
        recorder.delays.clear()
        meter = Meter(self._subject, service)
        recorder.is_on = True
        await asyncio.sleep(seconds)
        recorder.is_on = False
        share = meter.stop()
        if any(done.done() for _, done in self._open):
            raise BadAnswer(f"{self._subject.name}: an endless stream ended\n{self._subject.log}")
        due = streams * seconds / PACED_SECONDS
        delay = quantile(recorder.delays, 0.99) / 1e6 if recorder.delays else float("inf")
        held = delay < MOST_DELAY_SECONDS and len(recorder.delays) >= LEAST_ARRIVED * due
        return Level(streams, delay, held, share)

    def leave(self) -> None:
        for connection, _ in self._open:
            connection.abort()
