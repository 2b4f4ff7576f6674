"""`make fuzz`: runs cases on every surface, prints what is wrong, and keeps each finding as a file that replays."""

import argparse
import gc
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.case import Case, Surface, load
from tests.fuzz.findings import Findings
from tests.fuzz.generate import make_case
from tests.fuzz.in_process import InProcess
from tests.fuzz.wire import run_wire
from tests.fuzz.worker import run_worker

SHARES: dict[Surface, float] = {
    "requests": 0.69,
    "upstream": 0.185,
    "settings": 0.02,
    "wire": 0.05,
    "identity": 0.003,
    "worker": 0.002,
    "media": 0.05,
}
"""How the cases are spread: the fewer, the more one costs."""
WINDOW = 10_000
MOST_BLOCKS = 5_000
"""Of Python's memory, which a window may add once the first one is over."""
MOST_RESIDENT_BYTES = 48 * 1024 * 1024
IN_PROCESS: tuple[Surface, ...] = ("requests", "upstream", "settings", "media")


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="of all surfaces together")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--minutes", type=float, default=60.0, help="no case begins after so long")
    parser.add_argument("--surfaces", default=",".join(SHARES))
    parser.add_argument("--replay", type=Path, nargs="*", help="files, or folders of them")
    parser.add_argument("--found", type=Path, default=Path("artifacts/fuzz"), help="where findings are written")
    arguments = parser.parse_args()
    findings = Findings(None if arguments.replay else arguments.found)
    if arguments.replay:
        for surface, cases in _by_surface(arguments.replay).items():
            run(surface, iter(cases), findings)
    else:
        print(f"fuzz: replay with SEED={arguments.seed}", flush=True)
        deadline = time.monotonic() + arguments.minutes * 60
        for surface in arguments.surfaces.split(","):
            count = max(1, round(arguments.cases * SHARES[surface]))
            _run_many(surface, arguments.seed, count, deadline, findings)
    for kind, times in findings.kinds.most_common():
        print(f"{times:7}  {kind}")
    print("fuzz: nothing found" if not findings.kinds else f"fuzz: {len(findings.kinds)} kinds of findings")
    return 1 if findings.kinds else 0


def _by_surface(paths: list[Path]) -> dict[Surface, list[Case]]:
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    found: dict[Surface, list[Case]] = {}
    for case in map(load, files):
        found.setdefault(case.surface, []).append(case)
    return found


def _run_many(surface: Surface, seed: int, count: int, deadline: float, findings: Findings) -> None:
    began, done = time.monotonic(), Counter[str]()

    def cases() -> Iterator[Case]:
        for number in range(count):
            if time.monotonic() > deadline:
                return
            done["cases"] += 1
            yield make_case(surface, seed, number)

    findings.statuses.clear()
    run(surface, cases(), findings)
    seconds = time.monotonic() - began
    statuses = ", ".join(f"{status or 'left'}: {times}" for status, times in findings.statuses.most_common(8))
    print(f"fuzz: {surface}, {done['cases']} cases, {done['cases'] / seconds:.0f} a second; {statuses}", flush=True)


def run(surface: Surface, cases: Iterator[Case], findings: Findings) -> None:
    """Run them and judge each."""
    if surface == "worker":
        findings.strays(surface, run_worker(cases, findings.judge))
    elif surface in IN_PROCESS:
        findings.strays(surface, run_in_process(cases, findings))
    else:
        findings.strays(surface, run_wire(cases, findings.judge))


def run_in_process(cases: Iterator[Case], findings: Findings) -> list[str]:
    """Run them, and return how memory grew from window to window."""
    grown: list[tuple[int, int]] = []
    with InProcess() as process:
        for number, case in enumerate(cases):
            if number % WINDOW == WINDOW - 1:
                gc.collect()
                grown.append((sys.getallocatedblocks(), resident_bytes()))
            findings.judge(case, process.run(case))
    return list(_growth(grown))


def _growth(sizes: list[tuple[int, int]]) -> Iterator[str]:
    windows = len(sizes) - 1
    if windows < 1:
        return
    blocks, resident = ((sizes[-1][index] - sizes[0][index]) / windows for index in (0, 1))
    print(f"fuzz: {WINDOW} cases leave {blocks:.0f} blocks and {resident / 1024:.0f} KiB", flush=True)
    if blocks > MOST_BLOCKS:
        yield f"{WINDOW} cases leave {blocks:.0f} blocks of memory"
    if resident > MOST_RESIDENT_BYTES:
        yield f"{WINDOW} cases leave {resident / 1024 / 1024:.0f} MiB"


def resident_bytes() -> int:
    """Return the memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    sys.exit(main())
