"""The worker with cProfile, for `bench.profile`: SIGUSR1 starts it, SIGUSR2 stops it and writes the statistics.

As a script it takes the worker's own arguments; as a module it is the other side of that protocol.
"""

import asyncio
import cProfile
import os
import pstats
import runpy
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

WORKER_SCRIPT = Path(__file__).resolve().parents[2] / "dev" / "worker.py"
STATS_SECONDS = 10.0


def stats_path(pid: int) -> Path:
    """Return the path of the statistics written by the worker with this process ID."""
    return Path(tempfile.gettempdir()) / f"bench-profile-{pid}"


class Profiled:
    """Control of a profiled worker."""

    BEGIN = signal.SIGUSR1
    END = signal.SIGUSR2

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def stats(self, pid: int) -> pstats.Stats:
        """Return the statistics between the two signals."""
        async with asyncio.timeout(STATS_SECONDS):
            while not stats_path(pid).exists():  # noqa: ASYNC110 - another process makes it
                await asyncio.sleep(0.05)
        moved = shutil.move(stats_path(pid), self._folder / "stats")
        return pstats.Stats(str(moved))


def _install() -> None:
    profiler = cProfile.Profile()

    def begin(_number: int, _frame: FrameType | None) -> None:
        profiler.enable()

    def end(_number: int, _frame: FrameType | None) -> None:
        profiler.disable()
        half = stats_path(os.getpid()).with_suffix(".half")
        profiler.dump_stats(half)
        half.rename(stats_path(os.getpid()))

    signal.signal(Profiled.BEGIN, begin)
    signal.signal(Profiled.END, end)


if __name__ == "__main__":
    _install()
    # The worker must find the same path as without this file.
    sys.path[0] = str(WORKER_SCRIPT.parent)
    sys.argv[0] = str(WORKER_SCRIPT)
    runpy.run_path(str(WORKER_SCRIPT), run_name="__main__")
