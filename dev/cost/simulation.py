"""A day of scale-out, event by event: who waits for an instance, how many there are, and how long each executes.

The rules are those that the platform documents: an instance takes `concurrency` requests at once; a request that finds no room
starts another instance, up to a maximum; an instance that nobody needs goes away. What it does not document is assumed: the
times of `Rules`, and that requests go to the instance with the fewest, which spreads them and so costs the most.
"""

import heapq
import math
import random
from collections import deque
from dataclasses import dataclass, field

from dev.cost.workload import DAY_SECONDS, HOUR_SECONDS, Workload

WHOLE_DAY_ANSWERS = 400_000
"""A larger day is computed from means: among many answers chance evens out."""
NOON = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Of one platform. `cold_seconds`: until a new instance takes requests; `idle_seconds`: until an idle one goes away."""

    concurrency: int
    maximum: int = 40
    always_ready: int = 0
    cold_seconds: float = 5.0
    idle_seconds: float = 300.0


@dataclass(slots=True)
class Day:
    """What a day came to. Times in seconds."""

    answers: int = 0
    cold: int = 0
    refused: int = 0
    """Answers that waited longer than a minute."""
    instance_seconds: float = 0.0
    """Of instances while at least one request was open on them."""
    existing_seconds: float = 0.0
    """Of instances, busy or not."""
    peak: int = 0
    by_hour: list[int] = field(default_factory=lambda: [0] * 24)
    waits: list[float] = field(default_factory=list)

    @property
    def noon(self) -> int:
        """Return the largest number of instances between twelve and one."""
        return self.by_hour[NOON]

    @property
    def cold_share(self) -> float:
        """Return the share of answers that waited for a new instance."""
        return self.cold / self.answers if self.answers else 0.0

    def wait(self, part: float) -> float:
        """Return the quantile of the wait for an instance."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


class _Instance:
    __slots__ = ("busy_since", "idle_since", "is_ready", "open", "started_at")

    def __init__(self, at: float, *, is_ready: bool) -> None:
        self.open = 0
        self.started_at = at
        self.busy_since = at
        self.idle_since = at
        self.is_ready = is_ready


_ARRIVAL, _END, _STARTED = range(3)


def simulate(workload: Workload, rules: Rules, *, seed: int = 1, begin: float = 0.0, end: float = DAY_SECONDS) -> Day:
    """Return the day, or the part of it between two of its seconds. The same seed gives the same day."""
    return _Simulation(workload, rules, random.Random(seed), begin, end).run()


def steady(workload: Workload, rules: Rules) -> Day:
    """Return a day in which every answer has the mean length and comes when it should: of instances the fewest, no waits."""
    day = Day(answers=workload.answers)
    for hour in range(24):
        needed = math.ceil(workload.rate(hour) * workload.mean_seconds / rules.concurrency)
        day.by_hour[hour] = max(needed, rules.always_ready)
        day.instance_seconds += needed * HOUR_SECONDS
    day.existing_seconds = float(sum(day.by_hour) * HOUR_SECONDS)
    day.peak = max(day.by_hour)
    return day


class _Simulation:
    def __init__(self, workload: Workload, rules: Rules, chance: random.Random, begin: float, end: float) -> None:
        self._workload, self._rules, self._chance = workload, rules, chance
        self._begin, self._end_at = begin, end
        self._events: list[tuple[float, int, int, _Instance | None]] = []
        self._number = 0
        self._instances: list[_Instance] = [_Instance(begin, is_ready=True) for _ in range(rules.always_ready)]
        self._starting = 0
        self._queue: deque[tuple[float, bool]] = deque()
        self._day = Day()

    def run(self) -> Day:
        arrivals = self._workload.arrivals(self._chance, self._begin, self._end_at)
        coming = next(arrivals, None)
        while coming is not None or self._events:
            if coming is not None and (not self._events or coming <= self._events[0][0]):
                self._arrive(coming)
                coming = next(arrivals, None)
            else:
                at, kind, _, instance = heapq.heappop(self._events)
                assert instance is not None
                self._end(at, instance) if kind == _END else self._started(at, instance)
        for instance in self._instances:
            self._day.existing_seconds += max(0.0, self._end_at - instance.started_at)
        return self._day

    def _arrive(self, at: float) -> None:
        self._day.answers += 1
        self._retire(at)
        instance = self._free()
        if instance is not None:
            self._day.waits.append(0.0)
            self._open(at, instance)
            return
        self._queue.append((at, True))
        self._grow(at)

    def _free(self) -> _Instance | None:
        found: _Instance | None = None
        for one in self._instances:
            if one.is_ready and one.open < self._rules.concurrency and (found is None or one.open < found.open):
                found = one
                if not one.open:
                    break  # nobody has fewer
        return found

    def _grow(self, at: float) -> None:
        """Start as many instances as the waiting requests need, of those that may still be started."""
        needed = -(-len(self._queue) // self._rules.concurrency) - self._starting
        for _ in range(min(needed, self._rules.maximum - len(self._instances))):
            instance = _Instance(at, is_ready=False)
            self._instances.append(instance)
            self._starting += 1
            self._push(at + self._rules.cold_seconds, _STARTED, instance)
        self._count(at)

    def _started(self, at: float, instance: _Instance) -> None:
        instance.is_ready, instance.idle_since = True, at
        self._starting -= 1
        while self._queue and instance.open < self._rules.concurrency:
            self._take(at, instance, is_cold=True)

    def _take(self, at: float, instance: _Instance, *, is_cold: bool) -> None:
        asked_at, _ = self._queue.popleft()
        waited = at - asked_at
        self._day.waits.append(waited)
        self._day.cold += is_cold
        self._day.refused += waited > 60.0
        self._open(at, instance)

    def _open(self, at: float, instance: _Instance) -> None:
        if instance.open == 0:
            instance.busy_since = at
        instance.open += 1
        self._push(at + self._workload.seconds_of_an_answer(self._chance), _END, instance)
        self._count(at)

    def _end(self, at: float, instance: _Instance) -> None:
        if self._queue:
            self._take(at, instance, is_cold=False)  # before the other one goes: the instance was never idle
        instance.open -= 1
        if instance.open == 0:
            self._day.instance_seconds += at - instance.busy_since
            instance.idle_since = at

    def _retire(self, at: float) -> None:
        """Let instances go that have been idle for long enough, but the always-ready ones."""
        gone = [one for one in self._instances[self._rules.always_ready :] if self._is_over(one, at)]
        for instance in gone:
            self._day.existing_seconds += at - instance.started_at
            self._instances.remove(instance)

    def _is_over(self, instance: _Instance, at: float) -> bool:
        return instance.is_ready and instance.open == 0 and at - instance.idle_since > self._rules.idle_seconds

    def _count(self, at: float) -> None:
        hour = min(23, int(at // HOUR_SECONDS))
        count = len(self._instances)
        self._day.peak = max(self._day.peak, count)
        self._day.by_hour[hour] = max(self._day.by_hour[hour], count)

    def _push(self, at: float, kind: int, instance: _Instance) -> None:
        self._number += 1
        heapq.heappush(self._events, (at, kind, self._number, instance))
