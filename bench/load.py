"""The loads: measurement of CPU per chunk and per request on a running subject."""

import asyncio
import os
import time
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass

from bench.connection import Recorder
from bench.plan import PACED_SECONDS, SHORT, Plan
from bench.processes import cpu_seconds
from bench.results import quantile
from bench.service import ServiceProcess
from bench.subject import Subject

SETTLE_SECONDS = 0.4

type Watch = AbstractAsyncContextManager[None]
"""A context manager entered for the measured time, such as a profiler."""


@dataclass(frozen=True, slots=True)
class Share:
    """CPU shares during the measurement, as fractions of one core."""

    subject: float
    client: float
    service: float


class Meter:
    """CPU time of all processes involved, from creation to `stop`."""

    def __init__(self, subject: Subject, service: ServiceProcess) -> None:
        self._pids = subject.pids, [os.getpid()], [service.pid]
        self._began_at = time.monotonic()
        self._began = [cpu_seconds(pids) for pids in self._pids]
        self.seconds = 0.0
        """Of the subject."""

    def stop(self) -> Share:
        """Stop, and set `seconds`."""
        used = [cpu_seconds(pids) - began for pids, began in zip(self._pids, self._began, strict=True)]
        elapsed = time.monotonic() - self._began_at
        self.seconds = used[0]
        return Share(*(one / elapsed for one in used))


async def paced(
    subject: Subject, service: ServiceProcess, *, streams: int, seconds: float, watch: Watch | None = None
) -> tuple[float, Share, float]:
    """Measure CPU seconds per chunk of `streams` answers with a chunk every 20 ms, in a window without requests.

    Also return the 99th percentile of the chunks' delay: a late chunk shares a read with the next and looks cheaper.
    """
    margin = SETTLE_SECONDS + (2.0 if watch else 0.8)
    chunks = round((seconds + margin) / PACED_SECONDS)
    await service.play(Plan(PACED_SECONDS, chunks))
    recorder = Recorder()
    begun = await asyncio.gather(*(subject.ask(recorder) for _ in range(streams)))
    await asyncio.sleep(SETTLE_SECONDS)
    async with watch or nullcontext():
        before = (await service.stats())["chunks"]
        meter = Meter(subject, service)
        recorder.is_on = True
        await asyncio.sleep(seconds)
        recorder.is_on = False
        share = meter.stop()
        relayed = (await service.stats())["chunks"] - before
    for _, outcome, done in begun:
        await done
        subject.check(outcome, marks=chunks)
    return meter.seconds / relayed, share, quantile(recorder.delays, 0.99) / 1e6 if recorder.delays else 0.0


async def unpaced(subject: Subject, service: ServiceProcess, *, streams: int, chunks: int) -> tuple[float, Share]:
    """Measure CPU seconds per chunk of `streams` answers sent as fast as they are read, including their requests."""
    await service.play(Plan(0.0, chunks))
    meter = Meter(subject, service)
    await asyncio.gather(*(subject.answer(marks=chunks) for _ in range(streams)))
    share = meter.stop()
    return meter.seconds / (streams * chunks), share


async def requests(subject: Subject, service: ServiceProcess, *, count: int, at_once: int) -> tuple[float, Share]:
    """Measure CPU seconds per answer of one chunk, with `at_once` concurrent requests."""
    await service.play(SHORT)
    left = iter(range(count))

    async def ask_on() -> None:
        for _ in left:
            await subject.answer()

    meter = Meter(subject, service)
    await asyncio.gather(*(ask_on() for _ in range(at_once)))
    share = meter.stop()
    return meter.seconds / count, share
