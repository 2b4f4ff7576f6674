"""The development host as a process before a small function app, for the tests of the host itself."""

import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.host_start import start_host

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 15.0

PROBE_APP = (Path(__file__).parent / "probe_app.txt").read_text("utf-8")


def write_app(folder: Path, *, code: str = PROBE_APP, prefix: str = "") -> Path:
    """A Functions app."""
    (folder / "function_app.py").write_text(code)
    host = {"version": "2.0", "extensions": {"http": {"routePrefix": prefix}}}
    (folder / "host.json").write_text(json.dumps(host))
    return folder


def eventually[T](look: Callable[[], T], *, seconds: float = PATIENCE_SECONDS) -> T:
    """What `look` sees as soon as it is something."""
    deadline = time.monotonic() + seconds
    while not (seen := look()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert seen, "it did not come about"
    return seen


class HostProcess:
    """Started on a free port; `output` and `log` are what it has written so far."""

    def __init__(self, app: Path, *arguments: str, **environment: str) -> None:
        self._log = app / f"stderr-{time.monotonic_ns()}.txt"
        with self._log.open("wb") as log:
            self.process = start_host(["--app", str(app), "--port", "0", *arguments], os.environ | environment, log)
        self.output: list[str] = []
        self.url = ""

    def ready(self) -> Self:
        """When it listens."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
            if line.startswith("Listening on "):
                self.url = line.removeprefix("Listening on ").strip()
                return self
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", errors="replace")

    @property
    def address(self) -> tuple[str, int]:
        host, port = re.fullmatch(r"http://(.+):(\d+)", self.url).groups()  # type: ignore[union-attr]
        return host, int(port)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.request("GET", path, **options)

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return httpx.request(method, self.url + path, timeout=PATIENCE_SECONDS, **options)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/admin/host/status").json()
        return found

    def seen(self, word: str) -> Callable[[], bool]:
        """Whether the app has noted this word."""
        return lambda: word in self.get("/notes").json()

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        connection = socket.socket()
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(self.address)
        return connection

    def raw(self, request: str) -> socket.socket:
        """A connection that has sent this, line ends added."""
        connection = self.connect()
        connection.sendall(request.replace("\n", "\r\n").encode())
        return connection

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and return its exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            self.end(signal.SIGTERM)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def get(path: str, *lines: str) -> str:
    """A request as it is written."""
    return "\n".join([f"GET {path} HTTP/1.1", "host: example", *lines, "", ""])


def until(connection: socket.socket, end: bytes) -> bytes:
    """What arrives, up to and with `end`."""
    data = b""
    while not data.endswith(end):
        piece = connection.recv(1)
        assert piece, data
        data += piece
    return data


def rest(connection: socket.socket) -> bytes:
    """What arrives until the connection ends, in whatever way."""
    data = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            data += piece
    return data


def send_and_go(address: tuple[str, int], request: str, *, times: int, seconds: float) -> None:
    """Send the request on so many connections; close them after so long, by a reset and in an orderly way in turns."""
    connections = [socket.create_connection(address) for _ in range(times)]
    for connection in connections:
        connection.sendall(request.replace("\n", "\r\n").encode())
    time.sleep(seconds)
    for connection in connections[::2]:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    for connection in connections:
        connection.close()


def gone(pid: int) -> bool:
    """Whether no process of this id runs; on Linux one that has ended counts even if nobody has waited for it."""
    if sys.platform != "linux":
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
