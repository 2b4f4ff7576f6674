"""Profile of a subject by function: `python -m bench.profile SUBJECT [paced|unpaced|requests …]`.

With py-spy (a sampling profiler with little overhead) if installed, else with cProfile inside the worker, which counts exactly
but makes calls look more expensive than they are. Not a measurement: it shows where to look.
"""

import argparse
import asyncio
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import uvloop

from bench import load
from bench.processes import keep_off_the_measured_core
from bench.profiled.worker import Profiled
from bench.roster import SUBJECTS, make_subject
from bench.service import ROOT, ServiceProcess
from bench.subject import FunctionApp, Subject

LOADS = ("paced", "unpaced", "requests")
SAMPLES_PER_SECOND = 200
SPY_START_SECONDS = 1.0
NO_PYTHON = "(the event loop itself)"
SCRIPT = ROOT / "bench" / "profiled" / "worker.py"


def spy_path() -> str | None:
    """Where py-spy is installed, if it is."""
    return shutil.which("py-spy") or shutil.which("py-spy", path=str(ROOT / ".venv-bench" / "bin"))


async def put_under(
    subject: Subject, service: ServiceProcess, kind: str, seconds: float, watch: load.Watch | None = None
) -> float:
    """Apply a load for about that long. Return microseconds of CPU per chunk or request."""
    if kind == "paced":
        cost, _, _ = await load.paced(subject, service, streams=30, seconds=seconds, watch=watch)
        return cost * 1e6
    async with watch or nullcontext():
        if kind == "unpaced":
            cost, _ = await load.unpaced(subject, service, streams=8, chunks=round(seconds * 1000))
        else:
            cost, _ = await load.requests(subject, service, count=round(seconds * 250), at_once=4)
    return cost * 1e6


@asynccontextmanager
async def spying(spy: str, pid: int, out: Path) -> AsyncIterator[None]:
    """Sample which functions hold the interpreter, including C functions, while the block runs."""
    command = [spy, "record", "--full-filenames", "--gil", "--native", "--rate", str(SAMPLES_PER_SECOND)]
    command += ["--pid", str(pid), "--duration", "86400", "--format", "raw", "--output", str(out)]
    quiet = subprocess.DEVNULL
    watcher = await asyncio.create_subprocess_exec(*command, stdout=quiet, stderr=quiet)
    await asyncio.sleep(SPY_START_SECONDS)
    try:
        yield
    finally:
        watcher.send_signal(signal.SIGINT)
        await watcher.wait()


async def spied(spy: str, subject: Subject, service: ServiceProcess, kind: str, seconds: float, top: int) -> None:
    """Print py-spy's samples of one load."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "stacks"
        cost = await put_under(subject, service, kind, seconds, spying(spy, subject.pids[0], out))
        stacks = out.read_text(encoding="utf-8").splitlines()
    print_stacks(stacks, f"{subject.title}, {kind}", cost, top)


def print_stacks(stacks: list[str], title: str, cost: float, top: int) -> None:
    """Print three tables: by innermost function of any language, by innermost Python function, and by all callers."""
    own: Counter[str] = Counter()
    python: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks:
        names, _, count = line.rpartition(" ")
        frames = [short(one) for one in names.split(";")]
        ours = [one for one in frames if one.endswith((".py", ">"))]
        own[frames[-1]] += int(count)
        python[ours[-1] if ours else NO_PYTHON] += int(count)
        for frame in set(ours):
            within[frame] += int(count)
    total = max(1, own.total())
    print(f"\n== {title}: {cost:.1f} us each while profiled, {total} samples of the interpreter")
    headings = {"own time, C included": own, "own time, C counted as its caller": python, "with callees": within}
    for heading, counted_ones in headings.items():
        print(f"-- {heading}")
        for name, samples in counted_ones.most_common(top):
            print(f"{samples / total:7.1%} {cost * samples / total:8.1f} us  {name}")


def short(frame: str) -> str:
    """Return the function and its file, without the common path prefix and the line."""
    name, _, place = frame.partition(" (")
    library = "/lib/python3.13/"
    for before in (f"{sys.prefix}{library}site-packages/", f"{sys.base_prefix}{library}", f"{ROOT}/"):
        place = place.replace(before, "")
    return f"{name}  {place.partition(':')[0].rstrip(')')}"


@asynccontextmanager
async def counting(subject: FunctionApp, profiled: Profiled) -> AsyncIterator[None]:
    """Enable cProfile in the worker while the block runs."""
    subject.worker.signal(profiled.BEGIN)
    try:
        yield
    finally:
        subject.worker.signal(profiled.END)


async def counted(subject: FunctionApp, service: ServiceProcess, kind: str, seconds: float, top: int) -> None:
    """Print cProfile's statistics of one load."""
    with tempfile.TemporaryDirectory() as folder:
        profiled = Profiled(Path(folder))
        cost = await put_under(subject, service, kind, seconds, counting(subject, profiled))
        stats = await profiled.stats(subject.worker.pid)
    print(f"\n== {subject.title}, {kind}: {cost:.1f} us each while profiled")
    for order in ("tottime", "cumulative"):
        stats.strip_dirs().sort_stats(order).print_stats(top)


async def profile(name: str, kinds: list[str], seconds: float, top: int, spy: str | None) -> int:
    """Run the subject under each load."""
    keep_off_the_measured_core()
    service, subject = ServiceProcess(), make_subject(name)
    try:
        if spy is None:
            if not isinstance(subject, FunctionApp):
                print(f"{name} is not a function app: only py-spy can profile it", file=sys.stderr)
                return 2
            subject.script = SCRIPT
        await subject.start(service)
        try:
            for kind in LOADS:
                await put_under(subject, service, kind, 1.0)
            for kind in kinds:
                if spy is not None:
                    await spied(spy, subject, service, kind, seconds, top)
                elif isinstance(subject, FunctionApp):
                    await counted(subject, service, kind, seconds, top)
        finally:
            subject.stop()
    finally:
        service.stop()
    return 0


def main() -> int:
    """Profile, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("loads", nargs="*", metavar="load", help=f"of {', '.join(LOADS)}; default: paced requests")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--top", type=int, default=30, help="lines per table")
    parser.add_argument("--cprofile", action="store_true", help="even if py-spy is installed")
    arguments = parser.parse_args()
    spy = None if arguments.cprofile else spy_path()
    kinds = arguments.loads or ["paced", "requests"]
    if wrong := set(kinds) - set(LOADS):
        parser.error(f"no such load: {', '.join(sorted(wrong))}")
    return uvloop.run(profile(arguments.subject, kinds, arguments.seconds, arguments.top, spy))


if __name__ == "__main__":
    sys.exit(main())
