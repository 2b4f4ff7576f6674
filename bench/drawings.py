"""The plots of docs/performance.md."""

import statistics
from collections.abc import Mapping, Sequence

from bench.plots import bars, lines
from bench.results import MICROS, MILLIS, Results
from bench.roster import RELAY, SUBJECTS, make_subject


def drawings(results: Results, names: Sequence[str]) -> Mapping[str, str]:
    """Return the plots that have data, by the suffix of the file name."""
    titles = {name: make_subject(name).title.replace("`", "") for name in SUBJECTS if name in names}
    drawn = {}
    for kind, title, quantity, unit, scale in (
        ("chunk", "CPU per relayed chunk, paced (µs; lower is better)", "paced", "µs", MICROS),
        ("cold", "From process start to the first token (s; lower is better)", "cold", "s", 1.0),
    ):
        shown = {
            title_of: (figure.median * scale, is_ours(name))
            for name, title_of in titles.items()
            if (figure := results.figure(quantity, name)) is not None
        }
        if shown:
            drawn[kind] = bars(title, unit, dict(sorted(shown.items(), key=lambda one: one[1][0])))
    delays = {
        titles[name]: [(float(streams), statistics.median(seen) * MILLIS) for streams, seen in sorted(levels.items())]
        for name, levels in results.delays.items()
        if name in titles and make_subject(name).has_worker
    }
    if delays:
        title = "Delay of a chunk by number of open streams (ms, p99)"
        drawn["streams"] = lines(title, "open streams at 50 tokens per second", 50, delays)
    return drawn


def is_ours(name: str) -> bool:
    """Return whether the subject is this app."""
    return name == RELAY or name.startswith("chat-")
