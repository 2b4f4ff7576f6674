"""Two types of SVG plot for light and dark pages: bars, and lines over a count."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, LEFT, RIGHT, TOP = 760, 200, 90, 46
BAR, GAP = 22, 10
HEIGHT, BOTTOM, PLOT_LEFT = 380, 60, 60
COLOURS = ("#0f6cbd", "#c4314b", "#5c2e91", "#107c41", "#986f0b", "#038387", "#8a8886")
OURS = COLOURS[0]
OTHERS = "#8a8886"
_STYLE = (
    "<style>text{font:13px system-ui,sans-serif;fill:#242424}.t{font-weight:600;font-size:15px}.s{fill:#616161}"
    ".g{stroke:#d1d1d1}.c{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#f0f0f0}.s{fill:#adadad}"
    ".g{stroke:#4d4d4d}.c{fill:#1f1f1f}}</style>"
)


def bars(title: str, unit: str, values: Mapping[str, tuple[float, bool]]) -> str:
    """Draw one bar per name, in the given order; `True` highlights it."""
    top = max((value for value, _ in values.values()), default=1.0) or 1.0
    height = TOP + len(values) * (BAR + GAP) + GAP
    parts = [_text(16, 28, title, "t")]
    for index, (name, (value, is_ours)) in enumerate(values.items()):
        y = TOP + index * (BAR + GAP)
        length = max(1.0, (WIDTH - LEFT - RIGHT) * value / top)
        colour = OURS if is_ours else OTHERS
        parts += [
            _text(LEFT - 10, y + 16, name, anchor="end"),
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" fill="{colour}"/>',
            _text(LEFT + length + 8, y + 16, f"{value:.3g} {unit}", "s"),
        ]
    return _svg(height, title, parts)


def lines(title: str, across: str, limit: float, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Draw values over a count, with a dashed line at `limit`; values above twice the limit are clipped to the edge."""
    width, height = WIDTH - PLOT_LEFT - 190, HEIGHT - TOP - BOTTOM
    maximum = max((x for points in series.values() for x, _ in points), default=1.0)
    top = 2 * limit

    def place(x: float, y: float) -> tuple[float, float]:
        return PLOT_LEFT + width * x / maximum, TOP + height * (1 - min(y, top) / top)

    parts = [_text(16, 28, title, "t"), _text(PLOT_LEFT + width / 2, HEIGHT - 14, across, "s", anchor="middle")]
    for part in range(5):
        x, y = maximum * part / 4, top * part / 4
        at_x, at_y = place(x, y)
        parts += [
            f'<line class="g" x1="{PLOT_LEFT}" x2="{PLOT_LEFT + width}" y1="{at_y:.1f}" y2="{at_y:.1f}"/>',
            _text(PLOT_LEFT - 8, at_y + 4, f"{y:g}", "s", anchor="end"),
            _text(at_x, HEIGHT - BOTTOM + 20, f"{x:g}", "s", anchor="middle"),
        ]
    limit_y = place(0, limit)[1]
    parts.append(
        f'<line x1="{PLOT_LEFT}" x2="{PLOT_LEFT + width}" y1="{limit_y:.1f}" y2="{limit_y:.1f}" '
        'stroke="#c4314b" stroke-dasharray="6 4"/>'
    )
    for index, (name, points) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        corners = [place(x, y) for x, y in points]
        y = TOP + 14 + 22 * index
        parts += [
            f'<polyline points="{_points(corners)}" fill="none" stroke="{colour}" stroke-width="2.5"/>',
            *(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="3" fill="{colour}"/>' for cx, cy in corners),
            f'<line x1="{WIDTH - 180}" x2="{WIDTH - 158}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="3"/>',
            _text(WIDTH - 150, y, name),
        ]
    return _svg(HEIGHT, title, parts)


def _points(corners: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)


def _text(x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> str:
    kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind} text-anchor="{anchor}">{escape(text)}</text>'


def _svg(height: float, title: str, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">'
    card = f'<rect class="c" width="{WIDTH}" height="{height}" rx="8"/>'
    return "\n".join([head, _STYLE, card, *parts, "</svg>"]) + "\n"
