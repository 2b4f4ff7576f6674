"""What was collected, as text and as a page."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from dev.collector.reading import Point, Span

_SHOWN = (
    ("error.type", ""),
    ("streaming_endpoint.backend", "at "),
    ("gen_ai.usage.input_tokens", "in "),
    ("gen_ai.usage.output_tokens", "out "),
    ("streaming_endpoint.passages", "passages "),
)
"""The attributes that a line of a tree shows, each with a word before it."""
_PREFIX = re.compile(r"^(gen_ai|streaming_endpoint)\.")
_PAGE = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<title>Traces and metrics</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color-scheme:light dark}}
pre{{overflow:auto;padding:.7rem;border:1px solid #8886;border-radius:.4rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:top}}
</style></head><body><h1>Traces and metrics</h1>
<p>Of what was asked of the app since <code>make run TELEMETRY=1</code>: traces after 5 seconds, metrics after 15.</p>
<h2>Traces</h2>{traces}<h2>Metrics</h2>{metrics}</body></html>
"""


def tree(spans: Sequence[Span]) -> str:
    """Return the spans of one trace as a tree, each with its time and what matters most of it."""
    ids = {span.span_id for span in spans}
    roots = [span for span in spans if span.parent_id not in ids]
    width = max(len(line) for line, _ in _lines(spans, roots, ""))
    return "\n".join(f"{line:<{width}}  {said}" for line, said in _lines(spans, roots, ""))


def _lines(spans: Sequence[Span], level: Iterable[Span], indent: str) -> Iterator[tuple[str, str]]:
    for span in sorted(level, key=lambda one: one.began_ns):
        known = [f"{word}{span.attributes[name]}" for name, word in _SHOWN if name in span.attributes]
        yield f"{indent}{span.name}", "  ".join([f"{span.seconds:8.3f} s", *known])
        children = [one for one in spans if one.parent_id == span.span_id]
        yield from _lines(spans, children, indent + "  ")


def page(traces: Sequence[Sequence[Span]], points: Sequence[Point]) -> str:
    """Return the page; the newest trace comes first."""
    return _PAGE.format(
        traces="".join(
            f"<p><code>{escape(spans[0].trace_id)}</code></p><pre>{escape(tree(spans))}</pre>" for spans in traces
        )
        or "<p>None yet.</p>",
        metrics=_table(points) if points else "<p>None yet.</p>",
    )


def _table(points: Iterable[Point]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(point.metric)}</code></td><td>{escape(_value(point))}</td><td>{escape(_said(point))}</td></tr>"
        for point in points
    )
    return f"<table><tr><th>metric</th><th>value</th><th>of</th></tr>{rows}</table>"


def _value(point: Point) -> str:
    unit = "" if point.unit.startswith("{") else f" {point.unit}"
    if point.count is None:
        return f"{point.value:g}{unit}"
    return f"{point.count} × {point.value / max(point.count, 1):.4g}{unit}"


def _said(point: Point) -> str:
    return ", ".join(f"{_PREFIX.sub('', name)} {value}" for name, value in point.attributes.items() if value != "")
