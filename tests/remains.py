"""What streams leave behind in the worker and in the upstream, once they have ended."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from dev.simulator.control import Simulator
from tests.app_process import App

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The worker's process after so many streams; sizes in bytes. `blocks`: of memory, that Python has allocated."""

    streams: int
    resident: int
    private: int
    sockets: int
    tasks: int
    blocks: int

    @classmethod
    def of(cls, app: App, streams: int) -> Self:
        """Look at the worker."""
        pid = app.worker_pid
        return cls(
            streams=streams,
            resident=_kib(Path(f"/proc/{pid}/status"), "VmRSS"),
            private=private_bytes(pid),
            sockets=open_sockets(pid),
            tasks=app.worker_tasks,
            blocks=app.worker_blocks,
        )

    def __str__(self) -> str:
        return (
            f"{self.streams} streams, {self.resident / MIB:.1f} MiB resident, {self.private / MIB:.1f} MiB private, "
            f"{self.sockets} sockets, {self.tasks} tasks, {self.blocks} blocks"
        )


def private_bytes(pid: int) -> int:
    """The memory that a process has for itself."""
    return _kib(Path(f"/proc/{pid}/smaps_rollup"), "Private_Dirty")


def open_sockets(pid: int) -> int:
    """How many sockets a process has open."""
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found += os.readlink(link).startswith("socket:")  # noqa: PTH115 - it is no path
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def wait_until_nothing_is_open(simulator: Simulator, seconds: float = 5.0) -> int:
    """How many upstream requests are still open after so long."""
    deadline = time.monotonic() + seconds
    while (left := len(simulator.requests(ended="open"))) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def settled_tasks(app: App, most: int, seconds: float = 5.0) -> int:
    """How many tasks the worker has, once no more than `most` or after so long."""
    deadline = time.monotonic() + seconds
    while (left := app.worker_tasks) > most and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _kib(file: Path, name: str) -> int:
    """The bytes that a line `name: … kB` says; 0 where there is none."""
    for line in file.read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0
