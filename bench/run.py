"""One run: every section, by subject and round, so that noise affects all subjects alike."""

import sys
from collections.abc import Awaitable, Callable, Sequence

from bench import capacity, first_token, load, memory
from bench.connection import BadAnswer
from bench.deployed import WAYS, Deployments, deployments
from bench.plan import PACED_SECONDS
from bench.processes import keep_off_the_measured_core
from bench.results import MICROS, Results, quantile
from bench.roster import EMPTY, RELAY, SAMPLE, make_subject
from bench.scale import Scale
from bench.service import ServiceProcess
from bench.subject import Subject

SECTIONS = ("cpu", "ttft", "capacity", "memory", "cold", "deployed")
DIRECT = "direct"
SATURATED = 0.85
"""CPU share of a core above which a subject counts as saturated."""
FIRST_LEVEL = 300
FIRST_GUESS = 0.5
"""The search for the number of streams starts at this fraction of the number derived from CPU per chunk."""


def note(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


class Run:
    """Measurement of the selected sections into `results`."""

    def __init__(self, names: Sequence[str], scale: Scale) -> None:
        self._names = names
        self._scale = scale
        self._service: ServiceProcess
        self.results = Results()

    async def measure(self, sections: Sequence[str]) -> Results:
        """Measure the sections, in their fixed order."""
        keep_off_the_measured_core()
        self._service = ServiceProcess()
        try:
            with_running = [name for name in ("cpu", "ttft", "capacity") if name in sections]
            if with_running:
                await self._with_running(with_running)
            for name, rounds, section in (
                ("memory", self._scale.memory_rounds, self._memory),
                ("cold", self._scale.cold_rounds, self._cold),
            ):
                if name in sections:
                    await self._rounds(name, rounds, [make_subject(one) for one in self._names], section)
            if "deployed" in sections:
                await self._deployed()
            self.results.late_turns = int((await self._service.stats())["late_turns"])
        finally:
            self._service.stop()
        return self.results

    async def _deployed(self) -> None:
        names = [name for name in (RELAY, SAMPLE, EMPTY) if name in self._names]
        note("deployed: building the packages")
        with deployments(names) as built:
            await self._rounds(
                "deployed",
                self._scale.cold_rounds,
                [make_subject(name) for name in names],
                lambda subject, number: self._as_deployed(built, subject.name, number),
            )

    async def _as_deployed(self, built: Deployments, name: str, number: int) -> None:
        for way in WAYS:
            subject = built.subject(name, way)
            try:
                seconds, cpu = await first_token.cold_start(subject, self._service)
            finally:
                subject.stop()
            self.results.add(f"{way}_cpu", name, number, cpu)
            note(f"  {name}, {way}: {seconds:.2f} s, {cpu:.2f} s of CPU")

    async def _with_running(self, sections: Sequence[str]) -> None:
        running = [make_subject(name) for name in self._names]
        try:
            started = [subject for subject in running if await self._try("start", subject, self._start(subject))]
            for name, rounds, section in (
                ("cpu", self._scale.rounds, self._cpu),
                ("ttft", self._scale.rounds, self._first_tokens),
                ("capacity", self._scale.capacity_rounds, self._capacity),
            ):
                if name in sections:
                    await self._rounds(name, rounds, started, section)
        finally:
            for subject in running:
                subject.stop()

    async def _start(self, subject: Subject) -> None:
        scale = self._scale
        await subject.start(self._service)
        at_once = scale.requests_at_once
        await load.requests(subject, self._service, count=scale.requests // 2, at_once=at_once)
        if subject.streams:
            await load.paced(subject, self._service, streams=scale.streams, seconds=scale.paced_seconds / 4)
            await load.unpaced(subject, self._service, streams=1, chunks=scale.unpaced_chunks // 4)

    async def _rounds(
        self, name: str, rounds: int, subjects: Sequence[Subject], section: Callable[[Subject, int], Awaitable[None]]
    ) -> None:
        left = list(subjects)
        for number in range(rounds):
            note(f"{name}: round {number + 1} of {rounds}")
            # Each round starts with another subject, so that none always follows the same one.
            turn = number % max(1, len(left))
            for subject in left[turn:] + left[:turn]:
                if not await self._try(name, subject, section(subject, number)):
                    left.remove(subject)

    async def _try(self, name: str, subject: Subject, measurement: Awaitable[None]) -> bool:
        """Exclude a subject that fails from the rest of the section, and report it."""
        try:
            await measurement
        except (BadAnswer, OSError, TimeoutError) as failure:
            reason = str(failure).partition("\n")[0] or type(failure).__name__
            self.results.failures.append(f"{subject.name} ({name}): {reason}")
            note(f"  {subject.name} failed: {failure!r}")
            if self._service.has_ended:
                raise SystemExit("The bench's own model service has ended: nothing more can be measured.") from failure
            return False
        return True

    async def _cpu(self, subject: Subject, number: int) -> None:
        scale, service, name = self._scale, self._service, subject.name
        if name == DIRECT:
            return  # direct, no server, only the harness
        if subject.streams:
            cost, share, late = await self._paced(subject)
            if not subject.is_buffered:
                self.results.add("paced_delay", name, number, late)
            self._store("paced", name, number, cost, share)
            cost, share = await load.unpaced(
                subject, service, streams=scale.unpaced_streams, chunks=scale.unpaced_chunks
            )
            self._store("unpaced", name, number, cost, share)
        cost, share = await load.requests(subject, service, count=scale.requests, at_once=scale.requests_at_once)
        self._store("request", name, number, cost, share)
        note(
            f"  {name}: "
            + ", ".join(self._progress(quantity, name, number) for quantity in ("paced", "unpaced", "request"))
        )

    async def _paced(self, subject: Subject) -> tuple[float, load.Share, float]:
        """Measure paced chunks. Use fewer streams if a subject cannot hold them all: late chunks share reads and look cheap."""
        fewer, seconds = self.results.fewer_streams, self._scale.paced_seconds
        while True:
            streams = fewer.get(subject.name, self._scale.streams)
            found = await load.paced(subject, self._service, streams=streams, seconds=seconds)
            if found[1].subject < SATURATED or streams == 1:
                return found
            fewer[subject.name] = max(1, streams // 3)

    def _progress(self, quantity: str, name: str, number: int) -> str:
        value = self.results.values.get(quantity, {}).get(name, {}).get(number)
        return f"{quantity} {value * MICROS:.1f} us" if value is not None else f"{quantity} -"

    def _store(self, quantity: str, name: str, number: int, cost: float, share: load.Share) -> None:
        self.results.add(quantity, name, number, cost)
        self.results.busy(quantity, share.client + share.service)

    async def _first_tokens(self, subject: Subject, number: int) -> None:
        await load.requests(subject, self._service, count=self._scale.requests_at_once, at_once=1)
        found = await first_token.first_tokens(subject, self._service, count=self._scale.first_tokens)
        for quantity, part in (("ttft_p50", 0.5), ("ttft_p99", 0.99)):
            self.results.add(quantity, subject.name, number, quantile(found, part))

    async def _capacity(self, subject: Subject, number: int) -> None:
        if not subject.streams or subject.is_buffered or (subject.name == DIRECT and number > 0):
            return
        cost = self.results.figure("paced", subject.name)
        start = FIRST_GUESS * PACED_SECONDS / cost.median if cost else FIRST_LEVEL
        left_behind = self.results.left_behind
        levels = await capacity.climb(subject, self._service, self._scale, start=int(start), left_behind=left_behind)
        for level in levels:
            self.results.delays.setdefault(subject.name, {}).setdefault(level.streams, []).append(level.delay_p99)
            note(f"  {subject.name}: {level.streams} streams, p99 {level.delay_p99 * 1e3:.1f} ms, {level.share}")
        held = [level for level in levels if level.held]
        self.results.add("capacity", subject.name, number, held[-1].streams if held else 0)
        if held:
            self.results.add("capacity_share", subject.name, number, held[-1].share.subject)
            self.results.busy("capacity", held[-1].share.client + held[-1].share.service)

    async def _memory(self, subject: Subject, number: int) -> None:
        if subject.name == DIRECT:
            return
        try:
            await subject.start(self._service)
            found = await memory.measure(subject, self._service, self._scale)
        finally:
            subject.stop()
        self.results.add("memory_rest", subject.name, number, found.at_rest)
        self.results.add("memory_finished", subject.name, number, found.per_finished)
        if found.per_open is not None:
            self.results.add("memory_open", subject.name, number, found.per_open)
        note(f"  {subject.name}: {found}")

    async def _cold(self, subject: Subject, number: int) -> None:
        if not subject.has_worker:
            return
        try:
            seconds, cpu = await first_token.cold_start(subject, self._service)
        finally:
            subject.stop()
        self.results.add("cold", subject.name, number, seconds)
        self.results.add("cold_cpu", subject.name, number, cpu)
        note(f"  {subject.name}: {seconds:.2f} s, {cpu:.2f} s of CPU")
