"""A process that `dev.fork_server` has forked, as `subprocess.Popen` would be."""

import contextlib
import os
import select
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Protocol

from dev import fork_server

ROOT = Path(__file__).resolve().parents[1]
ADDRESS = "FORK_SERVER"
"""The variable of the environment with the address of a fork server, where there is one."""


class Process(Protocol):
    """What is needed of `subprocess.Popen`."""

    @property
    def pid(self) -> int: ...
    @property
    def stdin(self) -> IO[str] | None: ...
    @property
    def stdout(self) -> IO[str] | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int, /) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


class ForkedProcess:
    """In the project's folder, its standard input and output pipes of text; `target` is one of `fork_server.TARGETS`."""

    def __init__(
        self, address: str, target: str, arguments: list[str], environment: Mapping[str, str], stderr: int
    ) -> None:
        """Raise OSError where nothing listens at `address`."""
        birth = fork_server.Birth(target, arguments, dict(environment), str(ROOT))
        for_input, input_end = os.pipe()
        output_end, for_output = os.pipe()
        self.stdin: IO[str] = os.fdopen(input_end, "w", encoding="utf-8")
        self.stdout: IO[str] = os.fdopen(output_end, encoding="utf-8")
        try:
            self.pid, self._connection = fork_server.ask(address, birth, [for_input, for_output, stderr])
        finally:
            os.close(for_input)
            os.close(for_output)
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
                raise subprocess.TimeoutExpired("a forked process", timeout or 0) from None
            self._connection.close()
            with contextlib.suppress(OSError):
                self.stdin.close()
        return self._status

    def send_signal(self, number: int, /) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
