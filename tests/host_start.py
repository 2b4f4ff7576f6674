"""How tests start the development host: forked from a process that has imported the libraries, or as a user starts it."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from dev.forked_process import ADDRESS, ForkedProcess, Process

ROOT = Path(__file__).resolve().parents[1]
OTHER_LIBRARIES = ("--python",)


def start_host(arguments: list[str], environment: Mapping[str, str], stderr: IO[str] | IO[bytes]) -> Process:
    """Start `python -m dev.host` in the project's folder, its standard output a pipe of text."""
    address = os.environ.get(ADDRESS)
    if address is not None and not any(one.startswith(OTHER_LIBRARIES) for one in arguments):
        return ForkedProcess(address, "host", [*arguments, f"--forks={address}"], environment, stderr.fileno())
    command = [sys.executable, "-m", "dev.host", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=stderr, text=True)


def forkable() -> bool:
    return hasattr(os, "pidfd_open")


def warm_up() -> None:
    """Have the fork server, if there is one, import its libraries before the first process is asked for."""
    if address := os.environ.get(ADDRESS):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(address)


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Run a fork server for this process and those that inherit its environment, where there is none and the system can."""
    if ADDRESS in os.environ or not forkable():
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
