"""Time to the first token: of one request at a time, and of the first request of a new process."""

import time

from bench.plan import SHORT
from bench.processes import cpu_seconds
from bench.service import ServiceProcess
from bench.subject import Subject


async def first_tokens(subject: Subject, service: ServiceProcess, *, count: int) -> list[float]:
    """Return seconds from request to first token, for sequential requests."""
    await service.play(SHORT)
    found = []
    for _ in range(count):
        outcome = await subject.answer()
        found.append(outcome.first_at - outcome.began_at)
    return found


async def cold_start(subject: Subject, service: ServiceProcess) -> tuple[float, float]:
    """Return seconds from the process's start to the first token of its first answer, and the CPU seconds used.

    The subject must not be running before; it is running afterwards.
    """
    await service.play(SHORT)
    began = time.monotonic()
    await subject.start(service)
    outcome = await subject.answer()
    return outcome.first_at - began, cpu_seconds(subject.pids)
