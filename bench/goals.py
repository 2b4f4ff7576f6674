"""The targets, compared with the figures of one run."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.deployed import PACKAGED_CPU, PUBLISHED_CPU
from bench.results import MILLIS, Figure, Results
from bench.roster import BARE, CHAT, EMPTY, NGINX, RELAY, SAMPLE
from bench.text import NOTHING, median, table


@dataclass(frozen=True, slots=True)
class Goal:
    """An upper (or lower) limit on a figure."""

    text: str
    subject: str
    figure: Callable[[Results, str], Figure | None]
    limit: float
    unit: str
    is_minimum: bool = False
    scale: float = 1.0

    def row(self, results: Results) -> tuple[str, ...]:
        """Return text, target, measured value, and whether it is met."""
        figure = self.figure(results, self.subject)
        wanted = f"{'at least' if self.is_minimum else 'at most'} {self.limit:g}{self.unit}"
        return self.text, wanted, median(figure, scale=self.scale, unit=self.unit), self._verdict(figure)

    def _verdict(self, figure: Figure | None) -> str:
        if figure is None:
            return NOTHING
        value = figure.median * self.scale
        return "yes" if (value >= self.limit if self.is_minimum else value <= self.limit) else "**no**"


def _times(quantity: str, base: str) -> Callable[[Results, str], Figure | None]:
    return lambda results, subject: results.ratio(quantity, subject, base)


def _plain(quantity: str) -> Callable[[Results, str], Figure | None]:
    return lambda results, subject: results.figure(quantity, subject)


def _beyond_empty(results: Results, subject: str) -> Figure | None:
    return results.difference("request", subject, EMPTY)


def _below_sample(results: Results, subject: str) -> Figure | None:
    return results.ratio("paced", SAMPLE, subject)


def _start_below_sample(results: Results, subject: str) -> Figure | None:
    return results.ratio(PACKAGED_CPU, subject, SAMPLE, base_quantity=PUBLISHED_CPU)


def _both(
    text: str, figure: Callable[[Results, str], Figure | None], limit: float, unit: str, **more: float
) -> list[Goal]:
    scale, is_minimum = more.get("scale", 1.0), bool(more.get("is_minimum", False))
    return [
        Goal(text.format(api), subject, figure, limit, unit, scale=scale, is_minimum=is_minimum)
        for api, subject in (("`/v1`", RELAY), ("`/chat` sse", CHAT))
    ]


GOALS = (
    Goal("CPU per paced chunk, `/v1`, relative to nginx", RELAY, _times("paced", NGINX), 2, "×"),
    Goal("CPU per paced chunk, `/chat` sse, relative to nginx", CHAT, _times("paced", NGINX), 2.4, "×"),
    Goal("CPU per paced chunk, `/v1`, relative to a bare aiohttp relay", RELAY, _times("paced", BARE), 0.75, "×"),
    *_both("CPU per paced chunk, {}, factor below the official sample", _below_sample, 6, "×", is_minimum=True),
    *_both("CPU per request, {}, minus an empty function", _beyond_empty, 0.53, " ms", scale=MILLIS),
    *_both("streams at 50 tokens per second, {}, on one core", _plain("capacity"), 300, "", is_minimum=True),
    *_both("memory per open stream, {}", _plain("memory_open"), 30, " KB", scale=1 / 1024),
    *_both("cold start, {}, relative to the official sample", _times("cold", SAMPLE), 0.8, "×"),
    Goal("start as packaged, relative to the official sample as published", RELAY, _start_below_sample, 0.4, "×"),
    Goal(
        "start as packaged, relative to an empty function as packaged",
        RELAY,
        _times(PACKAGED_CPU, EMPTY),
        1.5,
        "×",
    ),
)


def goals_table(results: Results) -> str:
    """Return the table of all targets."""
    rows: Iterable[tuple[str, ...]] = (goal.row(results) for goal in GOALS)
    return table(("goal", "target", "measured", "met"), list(rows))
