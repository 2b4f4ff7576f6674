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
def serving(module: str, *arguments: str) -> Iterator[str | None]:
    """Run a module that serves forks at a path, its first argument. Yield the path once it does; None where it has ended."""
    with TemporaryDirectory() as folder:
        address = str(Path(folder) / "forks")
        path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
        command = [sys.executable, "-P", "-m", module, address, *arguments]
        process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield address if process.stdout.readline() == b"ready\n" else None
        finally:
            process.stdin.close()
            process.wait()
            process.stdout.close()


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Run a fork server for this process and those that inherit its environment, where there is none and the system can."""
    if ADDRESS in os.environ or not forkable():
        yield
        return
    with serving("dev.fork_server") as address:
        if address is None:
            raise RuntimeError("the fork server has ended")
        os.environ[ADDRESS] = address
        try:
            yield
        finally:
            del os.environ[ADDRESS]
