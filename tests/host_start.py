"""How tests start the development host: forked from a process that has imported the libraries, or as a user starts it."""

import contextlib
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Protocol

from dev import fork_server

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "TESTS_FORK_SERVER"
"""The variable that tells a process of pytest-xdist where the fork server listens that all share."""
OTHER_LIBRARIES = ("--python",)


class Process(Protocol):
    """What is needed of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def stdout(self) -> IO[str] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class ForkedHost:
    """A host that the fork server at `address` has forked."""

    def __init__(self, address: str, arguments: list[str], environment: Mapping[str, str], stderr: int) -> None:
        reading, writing = os.pipe()
        birth = fork_server.Birth("host", [*arguments, f"--forks={address}"], dict(environment), str(ROOT))
        try:
            self.pid, self._connection = fork_server.ask(address, birth, [writing, stderr])
        finally:
            os.close(writing)
        self.stdout: IO[str] = open(reading, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
        self._status: int | None = None

    def poll(self) -> int | None:
        if self._status is None and select.select([self._connection], [], [], 0)[0]:
            return self.wait()
        return self._status

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            self._connection.settimeout(timeout)
            try:
                self._status = int(fork_server.read_line(self._connection))
            except TimeoutError:
                raise subprocess.TimeoutExpired("dev.host", timeout or 0) from None
            self._connection.close()
        return self._status

    def send_signal(self, number: int, /) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start_host(arguments: list[str], environment: Mapping[str, str], stderr: IO[str] | IO[bytes]) -> Process:
    """Start `python -m dev.host` in the project's folder, its standard output a pipe of text."""
    address = os.environ.get(ADDRESS)
    if address is not None and not any(one.startswith(OTHER_LIBRARIES) for one in arguments):
        return ForkedHost(address, arguments, environment, stderr.fileno())
    command = [sys.executable, "-m", "dev.host", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Run a fork server for this process and those that inherit its environment, where there is none and the system can."""
    if ADDRESS in os.environ or not hasattr(os, "pidfd_open"):
        yield
        return
    with TemporaryDirectory() as folder:
        address = str(Path(folder) / "forks")
        command = [sys.executable, "-m", "dev.fork_server", address]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        os.environ[ADDRESS] = address
        try:
            yield
        finally:
            del os.environ[ADDRESS]
            process.stdin.close()
            process.wait()
            process.stdout.close()
