"""The blocks of docs/performance.md that a run writes: one table or paragraph each."""

import re
from collections.abc import Callable, Mapping, Sequence

from bench.goals import CHAT, goals_table
from bench.results import MICROS, MILLIS, Results
from bench.roster import EMPTY, NGINX, RELAY, SAMPLE, SUBJECTS, make_subject
from bench.run import DIRECT
from bench.service import ROOT
from bench.text import NOTHING, median, number, spread, table

PARTS_OF_A_CORE = 6
"""A third: the worker's own, as much for the host that forwards the same bytes beside it, and a reserve; and half of that for a
slower core."""
STEP = 25
_BICEP_DEFAULT = re.compile(r"^param httpPerInstanceConcurrency int = (\d+)", re.MULTILINE)
CPU_HEADER = ("", "paced chunk, µs", "× nginx", "unpaced chunk, µs", "request, ms", "beyond an empty function, ms")
KB, MB = 1 / 1024, 1 / 1024**2


def blocks(results: Results, names: Sequence[str], about: str) -> Mapping[str, str]:
    """Every block, by its name in the document."""
    titles = {name: make_subject(name).title for name in SUBJECTS if name in names}
    return {
        "about": about + left_out(results, names),
        "short": short(results),
        "goals": goals_table(results),
        "cpu": _rows(titles, results, "request", CPU_HEADER, _cpu) + fewer_streams(titles, results),
        "first-token": first_token_table(titles, results),
        "streams": _rows(
            titles, results, "capacity", ("", "streams held", "share of the core at that", "CPU per stream"), _streams
        )
        + left_behind(titles, results),
        "concurrency": concurrency(results),
        "memory": _rows(
            titles,
            results,
            "memory_rest",
            ("", "per open stream, KB", "left by a finished one, bytes", "at rest, MB"),
            _memory,
        ),
        "cold": _rows(titles, results, "cold", ("", "to the first token, s", "× sample's way", "CPU used, s"), _cold),
        "checks": checks(results),
    }


def left_out(results: Results, names: Sequence[str]) -> str:
    """Who should be there and is not, said plainly."""
    missing = [make_subject(name).title for name in SUBJECTS if name not in names]
    text = f"\n\nNot measured in this run: {', '.join(missing)}." if missing else ""
    return text + "".join(f"\n\nGave up: {failure}." for failure in results.failures)


def fewer_streams(titles: Mapping[str, str], results: Results) -> str:
    """Whose paced chunks were measured in easier circumstances."""
    told = [f"{titles[name]}: {count}" for name, count in results.fewer_streams.items()]
    return f"\n\nPaced with fewer streams, since all were more than it holds: {', '.join(told)}." if told else ""


def left_behind(titles: Mapping[str, str], results: Results) -> str:
    """Who goes on paying for readers who left."""
    told = [titles[name] for name in titles if name in results.left_behind]
    if not told:
        return ""
    return f"\n\nLeft the model's streams open after its clients had gone, and the bench had to cut them: {', '.join(told)}."


def short(results: Results) -> str:
    """The page in a few lines."""
    relay, chat = (median(results.figure("paced", name), scale=MICROS) for name in (RELAY, CHAT))
    floor = " and ".join(median(results.ratio("paced", name, NGINX)) for name in (RELAY, CHAT))
    sample = " and ".join(median(results.ratio("paced", SAMPLE, name)) for name in (RELAY, CHAT))
    request = median(results.difference("request", RELAY, EMPTY), scale=MILLIS)
    added = median(results.difference("ttft_p50", RELAY, DIRECT), scale=MILLIS)
    held = median(results.figure("capacity", CHAT))
    memory = median(results.figure("memory_open", CHAT), scale=KB)
    return (
        f"- A relayed chunk costs **{relay} µs** of CPU on `/v1` and **{chat} µs** on `/chat`: {floor} times what nginx "
        f"takes, and {sample} times less than the official sample's way.\n"
        f"- A request costs **{request} ms** of CPU beyond an empty function, and its first token comes **{added} ms** "
        f"later than straight from the model.\n"
        f"- One core holds **{held} streams** of `/chat` at 50 tokens a second, with {memory} KB of memory for each."
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
    """Added to a direct call; the direct call's own row is absolute."""
    rows = []
    for name, title in titles.items():
        if results.figure("ttft_p50", name) is None:
            continue
        if name == DIRECT:
            figures = [spread(results.figure(one, name), scale=MILLIS) for one in ("ttft_p50", "ttft_p99")]
            rows.append((f"{title} (all of it)", *figures))
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
    """What to set, by the slower of the two APIs."""
    figures = [figure for name in (RELAY, CHAT) if (figure := results.figure("capacity", name)) is not None]
    if not figures:
        return NOTHING
    held = min(figure.median for figure in figures)
    share = int(held / PARTS_OF_A_CORE)
    advised = share // STEP * STEP or max(1, share)
    bicep = ROOT / "infra" / "main.bicep"
    found = _BICEP_DEFAULT.search(bicep.read_text(encoding="utf-8")) if bicep.exists() else None
    default = f" The templates' default is **{found[1]}**." if found else ""
    memory = results.figure("memory_open", CHAT)
    taken = f" At that number, the open streams take about {number(advised * memory.median * MB)} MB." if memory else ""
    return (
        f"This run: {number(held)} streams held on one core, so at most **{advised}** for an instance with one core."
        f"{default}{taken}"
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


def checks(results: Results) -> str:
    """What says that the harness was not what was measured."""
    direct, busy = results.figure("capacity", DIRECT), results.busiest
    delays = results.delays.get(DIRECT, {})
    most = max((streams for streams, seen in delays.items() if min(seen) < 0.05), default=0)
    late = max((figure.median for one in SUBJECTS if (figure := results.figure("paced_delay", one))), default=0.0)
    rows = [
        ("the harness's share of its core, paced chunks", f"{busy.get('paced', 0):.0%}"),
        ("delay of the chunks in those rows, p99, the slowest subject's median", f"{late * 1e3:.1f} ms"),
        ("the harness's share of its core, at the most streams that a subject held", f"{busy.get('capacity', 0):.0%}"),
        ("streams that the harness holds by itself", median(direct)),
        ("delay of a chunk with nothing between, p99, at that", f"{min(delays.get(most, [0])) * 1e3:.1f} ms"),
        ("turns of the model service's timer that came over 5 ms late", str(results.late_turns)),
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
