"""What was measured, summed up until it is exported. Bounded: no caller can make it grow by inventing names."""

import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

MAX_SERIES = 1000
"""Sets of attributes per instrument; what comes beyond them is summed up in one series, as OpenTelemetry has it."""

type Value = str | int | float | bool
type Key = tuple[tuple[str, Value], ...]
"""The attributes of one series, with their names."""

_OVERFLOW: Key = (("otel.metric.overflow", True),)


class Kind(Enum):
    """What becomes of the values of one series."""

    COUNTER = "counter"
    UP_DOWN = "up_down"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False)
class Instrument:
    """What is measured. `boundaries`: the upper bounds of a histogram's buckets but for the last, which has none.

    Each is made once and equal to itself alone: it is looked up with every value, and to hash all its boundaries takes longer.
    """

    name: str
    kind: Kind
    unit: str
    description: str
    boundaries: tuple[float, ...] = ()


type Measurement = tuple[Instrument, float, Key]


@dataclass(slots=True)
class Point:
    """The values of one set of attributes, from `began_ns` on. `total` is the sum, or a gauge's last value."""

    began_ns: int
    total: float = 0
    count: int = 0
    minimum: float = 0.0
    maximum: float = 0.0
    buckets: list[int] = field(default_factory=list)

    def add(self, value: float, boundaries: Sequence[float]) -> None:
        """Add one value of a histogram."""
        if not self.count:
            self.buckets = [0] * (len(boundaries) + 1)
            self.minimum = self.maximum = value
        elif value < self.minimum:
            self.minimum = value
        elif value > self.maximum:
            self.maximum = value
        self.total += value
        self.count += 1
        self.buckets[bisect_left(boundaries, value)] += 1

    def copy(self) -> "Point":
        """Return what nobody adds to any more."""
        return Point(self.began_ns, self.total, self.count, self.minimum, self.maximum, self.buckets.copy())


@dataclass(frozen=True, slots=True)
class Series:
    """All points of an instrument at one time. `is_delta`: since the previous time; otherwise since each began."""

    instrument: Instrument
    at_ns: int
    is_delta: bool
    points: Sequence[tuple[Key, Point]]


class Aggregation:
    """The sums for one destination. Written by one thread and collected by another."""

    def __init__(self, *, is_delta: bool, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Begin with nothing measured. `is_delta`: counters and histograms begin again at 0 each time."""
        self._is_delta = is_delta
        self._now_ns = now_ns
        self._lock = threading.Lock()
        self._points: dict[Instrument, dict[Key, Point]] = {}
        self._began_ns = now_ns()

    def add(self, measurements: Iterable[Measurement]) -> None:
        """Add to counters and histograms."""
        with self._lock:
            for instrument, value, key in measurements:
                point = self._point(instrument, key)
                if instrument.kind is Kind.HISTOGRAM:
                    point.add(value, instrument.boundaries)
                else:
                    point.total += value

    def set(self, instrument: Instrument, value: float, key: Key) -> None:
        """Set what is measured at the moment of the export."""
        with self._lock:
            self._point(instrument, key).total = value

    def collect(self) -> list[Series]:
        """Return everything that was measured."""
        at_ns = self._now_ns()
        with self._lock:
            found = [self._series(instrument, points, at_ns) for instrument, points in self._points.items()]
            if self._is_delta:
                self._points.clear()
                self._began_ns = at_ns
        return found

    def _series(self, instrument: Instrument, points: Mapping[Key, Point], at_ns: int) -> Series:
        is_delta = self._is_delta and instrument.kind in (Kind.COUNTER, Kind.HISTOGRAM)
        return Series(instrument, at_ns, is_delta, [(key, point.copy()) for key, point in points.items()])

    def _point(self, instrument: Instrument, key: Key) -> Point:
        points = self._points.get(instrument)
        if points is None:
            points = self._points[instrument] = {}
        found = points.get(key)
        if found is None:
            if len(points) >= MAX_SERIES:
                key = _OVERFLOW
                found = points.get(key)
            if found is None:
                found = points[key] = Point(self._began_ns)
        return found
