"""Observation of processes: CPU time, memory, and core affinity."""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_CPU_CLOCK_OF_PROCESS = 2
LOCK = "streaming-endpoint-bench.lock"


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return CPU seconds used by all threads, user and system (clock_getcpuclockid, nanosecond resolution)."""
    return sum(time.clock_gettime((~pid << 3) | _CPU_CLOCK_OF_PROCESS) for pid in pids)


def resident_bytes(pids: Iterable[int]) -> int:
    """Return resident memory in bytes."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1]) * 1024
    return total


def children(pid: int) -> list[int]:
    """Return the child processes."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def cores() -> tuple[int | None, int | None]:
    """Return the core for the measured process and the core for the rest; None for both if there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[1], usable[0]) if len(usable) > 1 else (None, None)


MEASURED_CORE, OTHER_CORE = cores()


def keep_off_the_measured_core() -> None:
    """Pin the benchmark's own processes."""
    if OTHER_CORE is not None:
        os.sched_setaffinity(0, {OTHER_CORE})


@contextlib.contextmanager
def alone(say: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other benchmark runs on this machine: two would distort each other."""
    with (Path(tempfile.gettempdir()) / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another bench runs on this machine: waiting for its end.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def on_the_measured_core() -> Iterator[None]:
    """Pin child processes started inside the block."""
    if MEASURED_CORE is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {MEASURED_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
