"""Formatting of numbers and tables."""

from collections.abc import Sequence

from bench.results import Figure

NOTHING = "–"


def number(value: float) -> str:
    """Format with at most three significant digits."""
    if value == float("inf"):
        return "∞"
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def spread(figure: Figure | None, *, scale: float = 1.0) -> str:
    """Format the median, followed by minimum and maximum of the rounds in brackets."""
    if figure is None:
        return NOTHING
    minimum, maximum = number(figure.minimum * scale), number(figure.maximum * scale)
    median = number(figure.median * scale)
    return median if minimum == maximum else f"{median} ({minimum} to {maximum})"


def median(figure: Figure | None, *, scale: float = 1.0, unit: str = "") -> str:
    """Format the median."""
    return NOTHING if figure is None else number(figure.median * scale) + unit


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Format a Markdown table. The first column is text, the others are numbers."""
    lines = [header, ["---", *(["---:"] * (len(header) - 1))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
