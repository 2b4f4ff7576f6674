"""`make bench-exporters`: what an answer has to do with the server that its telemetry goes to, whatever that does.

The relay on the real worker without telemetry (twice: their difference is the noise), and with it to a collector and to
Application Insights, where each of them works, is dead, slow, refuses, and answers garbage. All run at the same time and are
asked in turns. Exit status 1 where the median first token or end of an answer comes later than noise explains, or where the
memory of a process goes on growing.
"""

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench import load
from bench.collectors import WAYS, Collectors
from bench.plan import Plan
from bench.processes import alone, cpu_seconds, keep_off_the_measured_core, resident_bytes
from bench.results import quantile
from bench.roster import relay_with
from bench.service import ServiceProcess
from bench.subject import Subject

MILLIS, MIB = 1e3, 1024 * 1024
OFF, OFF_AGAIN = "off", "off, again"
TIMED = Plan(0.002, 10)
OPENED_SECONDS = 8.0
"""Until every exporter is imported and has sent something, or what it had."""
ANSWERS_IN_TURN = 50
ALLOWED_MS = 0.1
"""Later by more than this, the noise, and what two equal processes differ by, is too late."""
ALLOWED_MIB = 8.0
"""By so much more than without telemetry a process may grow over the second half of its answers."""
_KEY = "00000000-0000-0000-0000-000000000000"


@dataclass(slots=True)
class Seen:
    """What one subject did: seconds of each round's median, seconds of all answers, bytes after few and after all answers."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    all_first: list[float] = field(default_factory=list)
    all_whole: list[float] = field(default_factory=list)
    cpu: float = 0.0
    """Seconds for an answer of one chunk, and for all that is done about it later."""
    few: int = 0
    many: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is asked. `ways`: those to try."""

    rounds: int = 40
    answers: int = 12
    thousands: float = 4.0
    ways: Sequence[str] = WAYS


def subjects(collectors: Collectors, ways: Sequence[str]) -> list[Subject]:
    """Return them, in the order of the report."""
    to_azure = f"InstrumentationKey={_KEY};IngestionEndpoint="
    settings: dict[str, dict[str, str]] = {
        OFF: {},
        OFF_AGAIN: {},
        **{f"collector, {way}": {"OTEL_EXPORTER_OTLP_ENDPOINT": collectors.address(way)} for way in ways},
        **{
            f"Application Insights, {way}": {
                "APPLICATIONINSIGHTS_CONNECTION_STRING": f"{to_azure}{collectors.address(way)}/"
            }
            for way in ways
        },
    }
    return [relay_with(name, own) for name, own in settings.items()]


async def time_answers(subject: Subject, service: ServiceProcess, seen: Seen, *, count: int) -> None:
    """Ask one after the other."""
    await service.play(TIMED)
    first, whole = list[float](), list[float]()
    for _ in range(count):
        outcome = await subject.answer(marks=TIMED.chunks)
        whole.append(time.monotonic() - outcome.began_at)
        first.append(outcome.first_at - outcome.began_at)
    seen.first.append(median(first))
    seen.whole.append(median(whole))
    seen.all_first += first
    seen.all_whole += whole


async def spend(running: Sequence[Subject], service: ServiceProcess, found: dict[str, Seen], *, count: int) -> None:
    """Measure CPU time until everything has been sent: what is made of an answer is sent seconds later."""
    await asyncio.sleep(OPENED_SECONDS)
    began = {subject.name: cpu_seconds(subject.pids) for subject in running}
    rounds = max(count // ANSWERS_IN_TURN, 1)
    for _ in range(rounds):
        for subject in running:
            await load.requests(subject, service, count=ANSWERS_IN_TURN, at_once=1)
    await asyncio.sleep(OPENED_SECONDS)
    for subject in running:
        used = cpu_seconds(subject.pids) - began[subject.name]
        found[subject.name].cpu = used / (rounds * ANSWERS_IN_TURN)


async def measure(size: Size) -> dict[str, Seen]:
    """Return what each subject did, by its name."""
    service, collectors = ServiceProcess(), Collectors()
    running = subjects(collectors, size.ways)
    found = {subject.name: Seen() for subject in running}
    few = round(size.thousands * 500)
    try:
        for subject in running:
            await subject.start(service)
            await load.requests(subject, service, count=40, at_once=4)
        await asyncio.sleep(OPENED_SECONDS)
        for number in range(size.rounds):
            for subject in running[number % len(running) :] + running[: number % len(running)]:
                await time_answers(subject, service, found[subject.name], count=size.answers)
        await spend(running, service, found, count=few)
        for subject in running:
            seen = found[subject.name]
            await load.requests(subject, service, count=few, at_once=4)
            seen.few = resident_bytes(subject.pids)
            await load.requests(subject, service, count=few, at_once=4)
            seen.many = resident_bytes(subject.pids)
    finally:
        for subject in running:
            subject.stop()
        collectors.stop()
        service.stop()
    return found


def _later(one: Sequence[float], other: Sequence[float]) -> float:
    return median(mine - theirs for mine, theirs in zip(one, other, strict=True)) * MILLIS


def noise(one: Sequence[float], other: Sequence[float]) -> float:
    """Return by how many ms the median of so many rounds of two equal subjects may be wrong: three standard errors.

    They are estimated by the median deviation, which the odd round that another program disturbed does not reach.
    """
    apart = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    middle = median(apart)
    deviation = 1.48 * median(abs(value - middle) for value in apart)
    return 3 * 1.25 * deviation / math.sqrt(len(apart)) * MILLIS


def faults(found: dict[str, Seen]) -> Iterator[str]:
    """Yield what is not as it should be."""
    off, again = found[OFF], found[OFF_AGAIN]
    first = noise(off.first, again.first) + abs(_later(again.first, off.first)) + ALLOWED_MS
    whole = noise(off.whole, again.whole) + abs(_later(again.whole, off.whole)) + ALLOWED_MS
    for name, seen in found.items():
        for what, later, most in (
            ("first token", _later(seen.first, off.first), first),
            ("end", _later(seen.whole, off.whole), whole),
        ):
            if later > most:
                yield f"{name}: the {what} comes {later:.2f} ms later; {most:.2f} ms are allowed"
        grown = (seen.many - seen.few - max(off.many - off.few, 0)) / MIB
        if grown > ALLOWED_MIB:
            yield f"{name}: the process has grown by {grown:.1f} MiB more than without telemetry"


def report(found: dict[str, Seen], size: Size) -> list[str]:
    """Return the table, in Markdown."""
    off, answers = found[OFF], round(size.thousands * 1000)
    memory = f"memory after {answers // 2} / {answers} answers, MB"
    heads = ["first token: median, p99, ms", "whole answer: median, p99, ms", "later, first / whole, ms"]
    lines = [
        f"| telemetry | {' | '.join(heads)} | CPU per request, ms | {memory} |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, seen in found.items():
        first, whole = (
            f"{median(values) * MILLIS:.2f}, {quantile(values, 0.99) * MILLIS:.2f}"
            for values in (seen.all_first, seen.all_whole)
        )
        later = f"{_later(seen.first, off.first):+.2f} / {_later(seen.whole, off.whole):+.2f}"
        memory = f"{seen.few / 1e6:.0f} / {seen.many / 1e6:.0f}"
        lines.append(f"| {name} | {first} | {whole} | {later} | {seen.cpu * MILLIS:.2f} | {memory} |")
    again = found[OFF_AGAIN]
    errors = noise(off.first, again.first), noise(off.whole, again.whole)
    return [*lines, "", f"Between two equal processes {errors[0]:.2f} / {errors[1]:.2f} ms would be noise."]


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.exporters", description=__doc__)
    parser.add_argument("--rounds", type=int, default=Size().rounds)
    parser.add_argument("--answers", type=int, default=Size().answers, help="of each round")
    parser.add_argument("--thousands", type=float, default=Size().thousands, help="of answers, for the memory")
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    arguments = parser.parse_args()
    size = Size(rounds=arguments.rounds, answers=arguments.answers, thousands=arguments.thousands, ways=arguments.ways)
    with alone(print):
        keep_off_the_measured_core()
        found = asyncio.run(measure(size))
    wrong = list(faults(found))
    print("\n".join([*report(found, size), *wrong]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
