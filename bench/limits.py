"""`make bench-limits`: what callers' limits cost an answer while a lease is at hand, and what they cost a chunk.

The relay on the real worker with every kind of limit, next to the same relay without any, in turns. The limits are kept in the
process, as a lease is. Exit status 1 where what is done for them before the first token takes more than 0.2 ms of CPU time,
which depends little on what else the machine does; nothing of it is waiting.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import load
from bench.first_token import first_tokens
from bench.processes import alone, keep_off_the_measured_core
from bench.roster import relay_with
from bench.service import ServiceProcess
from shared.config.caller_limits import CallerLimits, LimitsPolicy
from shared.demand import Demand
from shared.events import Usage
from shared.http.admission import with_limits
from shared.limits.ledger import Ledger
from shared.limits.limiter import Limiter
from shared.limits.memory_store import MemoryStore
from shared.limits.memory_usage import MemoryUsage
from shared.receipt import Spent
from shared.usage.recorded import Recorded

ADDED_MS = 0.2
MILLIS, MICROS = 1e3, 1e6
LARGE = 10**12
LIMITS = {
    "tokens_per_minute": LARGE,
    "tokens_per_day": LARGE,
    "tokens_per_month": LARGE,
    "requests_per_minute": LARGE,
    "streams": LARGE,
}
ADMISSIONS, ROUNDS = 2000, 5


@dataclass(slots=True)
class Costs:
    """What one subject took, in seconds, by round."""

    chunk: list[float] = field(default_factory=list)
    """Of CPU."""
    answer: list[float] = field(default_factory=list)
    """Of CPU, for an answer of one chunk."""
    first_token: list[float] = field(default_factory=list)


async def measure(rounds: int, *, chunks: int, count: int) -> tuple[Costs, Costs]:
    """Return the costs without limits and with them."""
    service = ServiceProcess()
    subjects = [
        relay_with("without limits", {}),
        relay_with("with limits", {"CALLER_LIMITS": json.dumps({"*": LIMITS})}),
    ]
    found = [Costs(), Costs()]
    try:
        for subject in subjects:
            await subject.start(service)
            await load.requests(subject, service, count=count, at_once=4)
        for number in range(rounds):
            for index in (0, 1) if number % 2 else (1, 0):
                subject, costs = subjects[index], found[index]
                costs.chunk.append((await load.unpaced(subject, service, streams=4, chunks=chunks))[0])
                costs.answer.append((await load.requests(subject, service, count=count, at_once=1))[0])
                costs.first_token.append(median(await first_tokens(subject, service, count=count)))
    finally:
        for subject in subjects:
            subject.stop()
        service.stop()
    return found[0], found[1]


@dataclass(frozen=True, slots=True)
class Own:
    """CPU seconds that limits and ledger take of one answer: before its first token, and at its end."""

    before: float
    after: float


async def own_seconds(admissions: int = ADMISSIONS) -> Own:
    """Measure them, with a lease at hand. The fastest of several rounds counts."""
    limiter = Limiter(LimitsPolicy(callers={"*": CallerLimits(**LIMITS)}), MemoryStore())
    ledger = Ledger(MemoryUsage())
    admission, clock = Recorded(ledger, limiter), time.process_time
    found = list[Own]()
    for _ in range(ROUNDS):
        began = clock()
        tickets = [await admission.admit("alice", "gpt", Demand(2000)) for _ in range(admissions)]
        for ticket in tickets:
            with_limits({"content-type": "text/event-stream"}, ticket)
        admitted = clock()
        for ticket in tickets:
            ticket.settle(Spent(usage=Usage(500, 100), is_finished=True))
        found.append(Own((admitted - began) / admissions, (clock() - admitted) / admissions))
    await limiter.close()
    await ledger.close()
    return Own(min(one.before for one in found), min(one.after for one in found))


def report(without: Costs, limited: Costs, own: Own) -> list[str]:
    """Return the lines to print."""

    def line(name: str, one: Sequence[float], other: Sequence[float], unit: str, scale: float) -> str:
        before, after = median(one) * scale, median(other) * scale
        return f"{name:<22}{before:.3g} {unit} without, {after:.3g} {unit} with: {after - before:+.2g}"

    return [
        line("CPU per chunk", without.chunk, limited.chunk, "µs", MICROS),
        line("CPU per answer", without.answer, limited.answer, "ms", MILLIS),
        line("first token", without.first_token, limited.first_token, "ms", MILLIS),
        f"{'admission':<22}{own.before * MICROS:.0f} µs of CPU before the first token (goal: {ADDED_MS * MILLIS:g})",
        f"{'settling':<22}{own.after * MICROS:.0f} µs of CPU at the end",
    ]


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chunks", type=int, default=5000)
    parser.add_argument("--requests", type=int, default=200)
    arguments = parser.parse_args()
    own = asyncio.run(own_seconds())
    with alone(print):
        keep_off_the_measured_core()
        without, limited = asyncio.run(measure(arguments.rounds, chunks=arguments.chunks, count=arguments.requests))
    print("\n".join(report(without, limited, own)))
    return 0 if own.before * MILLIS <= ADDED_MS else 1


if __name__ == "__main__":
    sys.exit(main())
