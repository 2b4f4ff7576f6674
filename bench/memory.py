"""Memory of a new process: at rest, per open stream, and retained per finished stream."""

import asyncio
from dataclasses import dataclass

from bench.connection import Connection
from bench.load import requests
from bench.plan import ENDLESS, Plan
from bench.processes import resident_bytes
from bench.scale import Scale
from bench.service import ServiceProcess
from bench.subject import Subject

SLOW_SECONDS = 0.2
"""Seconds between chunks, slow enough for every subject to keep up with all streams."""
OPENING_SECONDS = 0.004


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident memory in bytes."""

    at_rest: float
    per_open: float | None
    """None for a subject without streams."""
    per_finished: float


async def measure(subject: Subject, service: ServiceProcess, scale: Scale) -> Memory:
    """Measure a newly started subject: slopes between two sizes, so that one-time allocations do not count."""
    at_once = scale.requests_at_once
    await requests(subject, service, count=4 * at_once, at_once=at_once)
    at_rest = resident_bytes(subject.pids)
    per_open = await _per_open(subject, service, scale) if subject.streams else None
    await requests(subject, service, count=scale.few_finished, at_once=at_once)
    few = resident_bytes(subject.pids)
    more = scale.many_finished - scale.few_finished
    await requests(subject, service, count=more, at_once=at_once)
    return Memory(at_rest, per_open, (resident_bytes(subject.pids) - few) / more)


async def _per_open(subject: Subject, service: ServiceProcess, scale: Scale) -> float:
    await service.play(Plan(SLOW_SECONDS, ENDLESS))
    connections: list[Connection] = []
    sizes: list[int] = []
    try:
        for streams in (scale.few_open, scale.many_open):
            while len(connections) < streams:
                connection, _, _ = await subject.ask()
                connections.append(connection)
                await asyncio.sleep(OPENING_SECONDS)
            await asyncio.sleep(scale.settle_seconds)
            sizes.append(resident_bytes(subject.pids))
    finally:
        for connection in connections:
            connection.abort()
        await service.until_idle()
    return (sizes[1] - sizes[0]) / (scale.many_open - scale.few_open)
