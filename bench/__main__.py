"""`python -m bench`: measure, print the tables, and after a complete run update docs/performance.md and its plots."""

import argparse
import asyncio
import os
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import uvloop

from bench.beside import UnknownCommit, at_commit
from bench.document import with_blocks
from bench.drawings import drawings
from bench.machine import about
from bench.peers import LITELLM, nginx_path
from bench.processes import alone
from bench.report import blocks
from bench.roster import EMPTY, NGINX, SUBJECTS
from bench.run import DIRECT, SECTIONS, Run, note
from bench.scale import FULL, QUICK, Scale
from bench.service import ROOT

PAGE = ROOT / "docs" / "performance.md"
PEERS = ("litellm",)
BUSY_LOAD = 0.5


def main() -> int:
    """Run the benchmark and return the exit status."""
    parser = _parser()
    arguments = parser.parse_args()
    names = _names(parser, arguments)
    sections = _listed(parser, arguments.only, SECTIONS)
    scale = QUICK if arguments.quick else FULL
    if arguments.rounds:
        rounds = arguments.rounds
        scale = replace(scale, rounds=rounds, capacity_rounds=rounds, memory_rounds=rounds, cold_rounds=rounds)
    with ExitStack() as stack:
        if not arguments.quick:
            stack.enter_context(alone(note))
        if arguments.beside:
            try:
                names += stack.enter_context(at_commit(arguments.beside))
            except UnknownCommit as unknown:
                parser.error(f"--beside: {unknown}")
        return _run(arguments, names, sections, scale)


def _run(arguments: argparse.Namespace, names: list[str], sections: list[str], scale: Scale) -> int:
    load = os.getloadavg()[0]
    if load > BUSY_LOAD:
        note(f"The machine is busy (load {load:.2f}): only a quiet one gives numbers that can be reproduced.")
    began = time.monotonic()
    run = Run(names, scale)
    is_complete = uvloop.run(_measure(run, sections))
    results = run.results
    context = about(_command(arguments), load=load, minutes=(time.monotonic() - began) / 60)
    written = blocks(results, names, context)
    for name, text in written.items():
        print(f"\n## {name}\n\n{text}")
    is_whole = not (arguments.quick or arguments.rounds or arguments.subjects or arguments.only or arguments.beside)
    page = arguments.page or (PAGE if is_complete and is_whole else None)
    if page is None:
        note("\nNot a complete run: docs/performance.md is unchanged.")
        return 0
    page.write_text(with_blocks(page.read_text(encoding="utf-8"), written), encoding="utf-8")
    for kind, drawing in drawings(results, names).items():
        page.with_name(f"{page.stem}-{kind}.svg").write_text(drawing, encoding="utf-8")
    note(f"\nUpdated {page} and its plots.")
    return 0


def _command(arguments: argparse.Namespace) -> str:
    """Return the command that repeats the run."""
    options = ["--quick"] if arguments.quick else []
    for name in ("rounds", "subjects", "only", "beside"):
        value = getattr(arguments, name)
        options += [f"--{name} {value}"] if value else []
    verb = "bench-peers" if arguments.peers else "bench"
    return f'make {verb} BENCH="{" ".join(options)}"' if options else f"make {verb}"


async def _measure(run: Run, sections: list[str]) -> bool:
    """Measure. Return False if Ctrl-C or SIGTERM ended it early; the results so far are still reported."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        await run.measure(sections)
    except asyncio.CancelledError:
        note("\nInterrupted. The results so far:")
        run.results.failures.append("the run: it was interrupted and is incomplete")
        return False
    return True


def _names(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> list[str]:
    """Return the subjects in the order of the tables, always including those needed for comparison."""
    if arguments.subjects:
        asked = _listed(parser, arguments.subjects, tuple(SUBJECTS))
        asked += [name for name in (DIRECT, EMPTY) if name not in asked]
    else:
        asked = [name for name in SUBJECTS if name not in PEERS or arguments.peers]
    if NGINX in asked and nginx_path() is None:
        note("nginx is not installed, so this run has no baseline (Debian: apt-get install nginx-light).")
        asked.remove(NGINX)
    if "litellm" in asked and not LITELLM.exists():
        note("LiteLLM is not installed: run make bench-peers.")
        asked.remove("litellm")
    return [name for name in SUBJECTS if name in asked]


def _listed(parser: argparse.ArgumentParser, text: str | None, known: tuple[str, ...]) -> list[str]:
    if not text:
        return list(known)
    named = text.split(",")
    if unknown := [name for name in named if name not in known]:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(known)}")
    return named


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny numbers, to test the benchmark itself")
    parser.add_argument("--rounds", type=int, help="number of rounds of every section")
    parser.add_argument("--subjects", metavar="A,B", help=f"some of {', '.join(SUBJECTS)}")
    parser.add_argument("--only", metavar="A,B", help=f"some of {', '.join(SECTIONS)}")
    parser.add_argument("--beside", metavar="REF", help="measure the app at that commit too")
    parser.add_argument("--peers", action="store_true", help="include LiteLLM's proxy")
    parser.add_argument("--page", type=Path, help="the page to update, with its plots in the same folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
