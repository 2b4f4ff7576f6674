"""Measured values: one per quantity, subject and round; and the figures derived from them."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MICROS, MILLIS = 1e6, 1e3


def quantile(values: Sequence[float], part: float) -> float:
    """Return the quantile: the value that a fraction `part` of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


@dataclass(frozen=True, slots=True)
class Figure:
    """The median of the rounds, with their minimum and maximum."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Compute the figure of at least one value."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Results:
    """The results, filled by the measurements."""

    values: dict[str, dict[str, dict[int, float]]] = field(default_factory=dict)
    """By quantity, subject and round."""
    delays: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    """By subject and number of streams: delays in seconds (p99), one per round."""
    fewer_streams: dict[str, int] = field(default_factory=dict)
    """By subject: the number of streams for paced chunks, where the usual number was too high."""
    failures: list[str] = field(default_factory=list)
    busiest: dict[str, float] = field(default_factory=dict)
    """The highest CPU share of the harness's processes while CPU or time was measured."""
    left_behind: set[str] = field(default_factory=set)
    """Subjects that leave the model's streams open after their clients have disconnected."""
    late_turns: int = 0

    def add(self, quantity: str, subject: str, number: int, value: float) -> None:
        """Add one value."""
        self.values.setdefault(quantity, {}).setdefault(subject, {})[number] = value

    def busy(self, name: str, share: float) -> None:
        """Record the CPU share of one of the harness's processes."""
        self.busiest[name] = max(self.busiest.get(name, 0.0), share)

    def figure(self, quantity: str, subject: str) -> Figure | None:
        """Return the figure over the rounds, or None if it was not measured."""
        values = self.values.get(quantity, {}).get(subject)
        return Figure.of(list(values.values())) if values else None

    def ratio(self, quantity: str, subject: str, base: str, *, base_quantity: str = "") -> Figure | None:
        """Return the ratio of the subject to the base, computed within each round. `base_quantity`: where it is another one."""
        return self._paired(
            quantity, subject, base, lambda a, b: a / b if b else float("inf"), base_quantity or quantity
        )

    def difference(self, quantity: str, subject: str, base: str) -> Figure | None:
        """Return the difference of the subject and the base, computed within each round."""
        return self._paired(quantity, subject, base, lambda a, b: a - b, quantity)

    def _paired(
        self, quantity: str, subject: str, base: str, of: Callable[[float, float], float], base_quantity: str
    ) -> Figure | None:
        ours = self.values.get(quantity, {}).get(subject, {})
        theirs = self.values.get(base_quantity, {}).get(base, {})
        both = [of(ours[number], theirs[number]) for number in ours if number in theirs]
        return Figure.of(both) if both else None
