"""The generated blocks of docs/performance.md: one table or paragraph each."""

import re
from collections.abc import Callable, Mapping, Sequence

from bench.deployed import PACKAGED_CPU, PUBLISHED_CPU
from bench.goals import goals_table
from bench.results import MICROS, MILLIS, Results
from bench.roster import CHAT, EMPTY, NGINX, RELAY, SAMPLE, SUBJECTS, make_subject
from bench.run import DIRECT
from bench.service import ROOT
from bench.text import NOTHING, median, number, spread, table

PARTS_OF_A_CORE = 6
"""A third of the core is for the worker; the host, which forwards the same bytes, and a reserve take the rest. Halved for slow
cores."""
STEP = 25
_BICEP_DEFAULT = re.compile(r"^param httpPerInstanceConcurrency int = (\d+)", re.MULTILINE)
CPU_HEADER = ("", "paced chunk, µs", "× nginx", "unpaced chunk, µs", "request, ms", "minus an empty function, ms")
KB, MB = 1 / 1024, 1 / 1024**2


def blocks(results: Results, names: Sequence[str], about: str) -> Mapping[str, str]:
    """Return every block, by its name in the document."""
    titles = {name: make_subject(name).title for name in SUBJECTS if name in names}
    return {
        "about": about + left_out(results, names),
        "short": short(results),
        "goals": goals_table(results),
        "cpu": _rows(titles, results, "request", CPU_HEADER, _cpu) + fewer_streams(titles, results),
        "first-token": first_token_table(titles, results),
        "streams": _rows(
            titles, results, "capacity", ("", "streams held", "CPU share at that number", "CPU per stream"), _streams
        )
        + left_behind(titles, results),
        "concurrency": concurrency(results),
        "memory": _rows(
            titles,
            results,
            "memory_rest",
            ("", "per open stream, KB", "per finished stream, bytes", "at rest, MB"),
            _memory,
        ),
        "cold": _rows(
            titles, results, "cold", ("", "to the first token, s", "× official sample", "CPU used, s"), _cold
        ),
        "deployed": deployed_table(titles, results),
        "checks": checks(results),
    }


def left_out(results: Results, names: Sequence[str]) -> str:
    """Return a note on the subjects that were not measured, and on failures."""
    missing = [make_subject(name).title for name in SUBJECTS if name not in names]
    text = f"\n\nNot measured in this run: {', '.join(missing)}." if missing else ""
    return text + "".join(f"\n\nFailed: {failure}." for failure in results.failures)


def fewer_streams(titles: Mapping[str, str], results: Results) -> str:
    """Return a note on the subjects whose paced chunks were measured with fewer streams."""
    listed = [f"{titles[name]}: {count}" for name, count in results.fewer_streams.items()]
    return (
        f"\n\nPaced with fewer streams, because the usual number was too high: {', '.join(listed)}." if listed else ""
    )


def left_behind(titles: Mapping[str, str], results: Results) -> str:
    """Return a note on the subjects that leave the model's streams open after a disconnect."""
    listed = [titles[name] for name in titles if name in results.left_behind]
    if not listed:
        return ""
    return f"\n\nDid not close the model's streams after its clients disconnected: {', '.join(listed)}."


def short(results: Results) -> str:
    """Return the summary of the page."""
    relay, chat = (median(results.figure("paced", name), scale=MICROS) for name in (RELAY, CHAT))
    floor = " and ".join(median(results.ratio("paced", name, NGINX)) for name in (RELAY, CHAT))
    sample = " and ".join(median(results.ratio("paced", SAMPLE, name)) for name in (RELAY, CHAT))
    request = median(results.difference("request", RELAY, EMPTY), scale=MILLIS)
    added = median(results.difference("ttft_p50", RELAY, DIRECT), scale=MILLIS)
    held = median(results.figure("capacity", CHAT))
    memory = median(results.figure("memory_open", CHAT), scale=KB)
    return (
        f"- A relayed chunk costs **{relay} µs** of CPU on `/v1` and **{chat} µs** on `/chat`: {floor} times the cost "
        f"of nginx, and {sample} times less than the official sample.\n"
        f"- A request costs **{request} ms** of CPU more than an empty function, and its first token arrives "
        f"**{added} ms** later than directly from the model.\n"
        f"- One core holds **{held} streams** of `/chat` at 50 tokens per second, with {memory} KB of memory each."
    )


def _cpu(results: Results, name: str) -> Sequence[str]:
    beyond = results.difference("request", name, EMPTY) if name not in (EMPTY, NGINX, "litellm") else None
    return (
        spread(results.figure("paced", name), scale=MICROS),
        median(results.ratio("paced", name, NGINX)),
        spread(results.figure("unpaced", name), scale=MICROS),
        spread(results.figure("request", name), scale=MILLIS),
        median(beyond, scale=MILLIS),
    )


def first_token_table(titles: Mapping[str, str], results: Results) -> str:
    """Return the time added to a direct call; the row of the direct call is absolute."""
    rows = []
    for name, title in titles.items():
        if results.figure("ttft_p50", name) is None:
            continue
        if name == DIRECT:
            figures = [spread(results.figure(one, name), scale=MILLIS) for one in ("ttft_p50", "ttft_p99")]
            rows.append((f"{title} (absolute)", *figures))
        else:
            figures = [spread(results.difference(one, name, DIRECT), scale=MILLIS) for one in ("ttft_p50", "ttft_p99")]
            rows.append((title, *figures))
    return table(("", "added, median, ms", "added, p99, ms"), rows)


def _streams(results: Results, name: str) -> Sequence[str]:
    held, share = results.figure("capacity", name), results.figure("capacity_share", name)
    if held is None or share is None:
        return "0", NOTHING, NOTHING
    top = max(results.delays[name])
    more = "at least " if held.median == top else ""
    per_stream = f"{share.median / held.median:.2%}" if held.median else NOTHING
    return more + spread(held), f"{share.median:.0%}", per_stream


def concurrency(results: Results) -> str:
    """Return the recommended concurrency, from the slower of the two APIs."""
    figures = {name: figure for name in (RELAY, CHAT) if (figure := results.figure("capacity", name)) is not None}
    if not figures:
        return NOTHING
    held, slower = min((figure.median, name) for name, figure in figures.items())
    if held == max(results.delays[slower]):
        return f"This run held all the {number(held)} streams that it tried, which is no limit and gives no advice."
    share = int(held / PARTS_OF_A_CORE)
    advised = share // STEP * STEP or max(1, share)
    bicep = ROOT / "infra" / "main.bicep"
    found = _BICEP_DEFAULT.search(bicep.read_text(encoding="utf-8")) if bicep.exists() else None
    default = f" The templates' default is **{found[1]}**." if found else ""
    memory = results.figure("memory_open", CHAT)
    used = f" At that number, the open streams use about {number(advised * memory.median * MB)} MB." if memory else ""
    return (
        f"This run: {number(held)} streams held on one core, so at most **{advised}** for an instance with one core."
        f"{default}{used}"
    )


def _memory(results: Results, name: str) -> Sequence[str]:
    return (
        spread(results.figure("memory_open", name), scale=KB),
        spread(results.figure("memory_finished", name)),
        median(results.figure("memory_rest", name), scale=MB),
    )


def _cold(results: Results, name: str) -> Sequence[str]:
    return (
        spread(results.figure("cold", name)),
        median(results.ratio("cold", name, SAMPLE)),
        median(results.figure("cold_cpu", name)),
    )


def deployed_table(titles: Mapping[str, str], results: Results) -> str:
    """Return the CPU time of the starts as deployed, as published and as packaged."""
    rows = [
        (title, spread(results.figure(PUBLISHED_CPU, name)), spread(packaged), median(empty), median(sample))
        for name, title in titles.items()
        if (packaged := results.figure(PACKAGED_CPU, name)) is not None
        for empty in [results.ratio(PACKAGED_CPU, name, EMPTY)]
        for sample in [results.ratio(PACKAGED_CPU, name, SAMPLE, base_quantity=PUBLISHED_CPU)]
    ]
    header = ("", "published, CPU s", "packaged, CPU s", "× empty function, packaged", "× official sample, published")
    return table(header, rows)


def checks(results: Results) -> str:
    """Return the figures that show that the harness was not the bottleneck."""
    direct, busy = results.figure("capacity", DIRECT), results.busiest
    delays = results.delays.get(DIRECT, {})
    highest = max((streams for streams, seen in delays.items() if min(seen) < 0.05), default=0)
    late = max((figure.median for one in SUBJECTS if (figure := results.figure("paced_delay", one))), default=0.0)
    rows = [
        ("CPU share of the harness on its core, paced chunks", f"{busy.get('paced', 0):.0%}"),
        ("delay of those chunks, p99, median of the slowest subject", f"{late * 1e3:.1f} ms"),
        ("CPU share of the harness on its core, at the highest number of streams", f"{busy.get('capacity', 0):.0%}"),
        ("streams that the harness holds without a server", median(direct)),
        ("delay of a chunk without a server, p99, at that number", f"{min(delays.get(highest, [0])) * 1e3:.1f} ms"),
        ("ticks of the model service's timer more than 5 ms late", str(results.late_turns)),
    ]
    return table(("", "this run"), rows)


def _rows(
    titles: Mapping[str, str],
    results: Results,
    quantity: str,
    header: Sequence[str],
    cells: Callable[[Results, str], Sequence[str]],
) -> str:
    rows = [
        (title, *cells(results, name)) for name, title in titles.items() if results.figure(quantity, name) is not None
    ]
    return table(header, rows)
