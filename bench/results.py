"""What was measured: per quantity and subject one value a round, and what is made of them."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MICROS, MILLIS = 1e6, 1e3


def quantile(values: Sequence[float], part: float) -> float:
    """The value that `part` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of the rounds, and the least and the most of them."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """At least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Results:
    """Filled by the measurements."""

    values: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)
    """Quantity, subject, round."""
    delays: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    """Subject, number of streams: seconds of delay (p99), one a round."""
    fewer_streams: dict[str, int] = field(default_factory=dict)
    """With how many streams paced chunks were measured where the usual number was too much."""
    failures: list[str] = field(default_factory=list)
    busiest: dict[str, float] = field(default_factory=dict)
    """The highest share of a core that the harness's own processes had while CPU or time was measured."""
    left_behind: set[str] = field(default_factory=set)
    """Who leaves the model's streams open after its own clients have gone."""
    late_turns: int = 0

    def add(self, quantity: str, subject: str, number: int, value: float) -> None:
        """One value."""
        self.values.setdefault(quantity, {}).setdefault(subject, {})[number] = value

    def busy(self, name: str, share: float) -> None:
        """How busy one of the harness's own processes was."""
        self.busiest[name] = max(self.busiest.get(name, 0.0), share)

    def figure(self, quantity: str, subject: str) -> Figure | None:
        """Over the rounds; None where it was not measured."""
        values = self.values.get(quantity, {}).get(subject)
        return Figure.of(list(values.values())) if values else None

    def ratio(self, quantity: str, subject: str, base: str) -> Figure | None:
        """Of the subject to the base, each round by itself."""
        return self._paired(quantity, subject, base, lambda a, b: a / b if b else float("inf"))

    def difference(self, quantity: str, subject: str, base: str) -> Figure | None:
        """Of the subject to the base, each round by itself."""
        return self._paired(quantity, subject, base, lambda a, b: a - b)

    def _paired(self, quantity: str, subject: str, base: str, of: Callable[[float, float], float]) -> Figure | None:
        ours = self.values.get(quantity, {}).get(subject, {})
        theirs = self.values.get(quantity, {}).get(base, {})
        both = [of(ours[number], theirs[number]) for number in ours if number in theirs]
        return Figure.of(both) if both else None
