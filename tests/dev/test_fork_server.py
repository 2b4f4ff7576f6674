"""What the fork server forks behaves as what a command line starts."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import struct
import tempfile
from pathlib import Path

import pytest

from dev.fork_server import Birth
from dev.forked_process import ADDRESS, ForkedProcess
from tests.dev.host_process import HostProcess, eventually, gone, write_app

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="forked on Linux alone")


def forked_host(*arguments: str) -> tuple[int, str]:
    with tempfile.TemporaryFile("w+") as log:
        status = ForkedProcess(os.environ[ADDRESS], "host", [*arguments], os.environ, log.fileno()).wait(15)
        log.seek(0)
        return status, log.read()


def sockets_of(process: int) -> set[str]:
    links = set[str]()
    for one in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links.add(str(one.readlink()))
    return {link for link in links if link.startswith("socket:")}


def server_process() -> int:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[ADDRESS])
        process, _user, _group = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(process)


def test_the_exit_status_and_the_log_are_those_of_the_command() -> None:
    status, log = forked_host("--port", "none")

    assert status == 2
    assert "python -m dev.host: error: argument --port: 'none' is not a port" in log


def test_host_and_worker_hold_no_connection_of_the_server_and_the_signal_that_ends_them_is_told(tmp_path: Path) -> None:
    app = write_app(tmp_path)
    with HostProcess(app).ready() as host:
        server, worker = server_process(), int(host.status()["worker_pid"])
        shared = sockets_of(server) & (sockets_of(host.process.pid) | sockets_of(worker))
        os.kill(host.process.pid, signal.SIGKILL)

        assert host.process.wait(15) == -signal.SIGKILL
        assert shared == set()
    eventually(lambda: gone(worker))


@pytest.mark.parametrize("sent", ["nothing", "half a request", "a request"])
def test_the_server_outlives_whoever_asks_and_goes_and_ends_the_child_that_nobody_knows(sent: str) -> None:
    birth = Birth("host", ["--port", "none"], dict(os.environ), str(Path.cwd()))
    line = json.dumps(dataclasses.asdict(birth)).encode() + b"\n"
    with tempfile.TemporaryFile() as log:
        for _ in range(5):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(os.environ[ADDRESS])
                connection.shutdown(socket.SHUT_RD)
                if sent != "nothing":
                    socket.send_fds(connection, [line[:1]], [log.fileno()] * 3)
                if sent == "a request":
                    connection.sendall(line[1:])
        status, _log = forked_host("--port", "none")

        assert status == 2
        assert log.seek(0, os.SEEK_END) == 0
