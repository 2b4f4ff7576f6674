"""Numbers and tables as text."""

from collections.abc import Sequence

from bench.results import Figure

NOTHING = "–"


def number(value: float) -> str:
    """Three digits at most, as many as say something."""
    if value == float("inf"):
        return "∞"
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def spread(figure: Figure | None, *, scale: float = 1.0) -> str:
    """The median, and in brackets the least and the most of the rounds."""
    if figure is None:
        return NOTHING
    least, most = number(figure.least * scale), number(figure.most * scale)
    median = number(figure.median * scale)
    return median if least == most else f"{median} ({least} to {most})"


def median(figure: Figure | None, *, scale: float = 1.0, unit: str = "") -> str:
    """The median alone."""
    return NOTHING if figure is None else number(figure.median * scale) + unit


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column is text, the others are numbers."""
    lines = [header, ["---", *(["---:"] * (len(header) - 1))], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
