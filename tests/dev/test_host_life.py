"""How the development host and its worker end, and what becomes of the requests meanwhile."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.dev.host_process import ROOT, HostProcess, eventually, get, gone, rest, until, write_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def fresh(app: Path) -> Iterator[HostProcess]:
    """Its worker dies by itself for the first time here: the next one starts at once. Deaths by a timeout do not count."""
    with HostProcess(app, "--set", "AzureFunctionsJobHost__functionTimeout=00:00:02") as process:
        yield process.ready()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.host", "--port", "0", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


@dataclass(frozen=True, slots=True)
class Died:
    """What a worker has left behind that ended by itself (exit status 3)."""

    before: dict[str, Any]
    """The host's status while it lived."""
    half: bytes
    """The end of what a client got of the stream in which it died."""
    resets: int
    """How many of two open streams were reset."""
    waiting: bytes
    """What came for a request that had no head yet."""
    next_status: int
    """Of the answer to the request after it."""
    after: dict[str, Any]


@pytest.fixture(scope="module")
def died(fresh: HostProcess) -> Died:
    before = fresh.status()
    with fresh.raw(get("/chat?gated")) as other, fresh.raw(get("/waiting")) as waiting:
        until(other, b"data: one\n\n\r\n")
        eventually(fresh.seen("waiting"))
        with fresh.raw(get("/die?late")) as dying:
            half = until(dying, b"4\r\nhalf\r\n")
            resets = sum(is_reset(stream) for stream in (dying, other))
        answer = until(waiting, b"\r\n\r\n")
    next_status = fresh.get("/chat").status_code  # waits for the next worker
    return Died(before, half, resets, answer, next_status, fresh.status())


def is_reset(stream: socket.socket) -> bool:
    """Return whether the next that comes is a reset."""
    try:
        stream.recv(1)
    except ConnectionResetError:
        return True
    return False


def test_a_worker_that_dies_before_the_head_is_an_empty_500_and_is_replaced(fresh: HostProcess, died: Died) -> None:
    assert died.waiting.startswith(b"HTTP/1.1 500 ")
    assert b"content-length: 0\r\n" in died.waiting
    assert died.next_status == 200
    assert died.after["restarts"] == died.before["restarts"] + 1
    assert died.after["worker_pid"] != died.before["worker_pid"]
    assert f"The worker, process {died.before['worker_pid']}, has died (exit status 3)" in fresh.log


def test_a_worker_that_dies_after_the_head_resets_every_open_stream(died: Died) -> None:
    assert died.half.startswith(b"HTTP/1.1 200 ")
    assert died.resets == 2
    assert died.next_status == 200


def test_a_stream_whose_handler_has_returned_loses_only_itself_to_the_timeout(fresh: HostProcess) -> None:
    pid = fresh.status()["worker_pid"]
    with fresh.raw(get("/chat?gated&name=long")) as connection:
        answer = rest(connection)

    assert answer.endswith(b"data: one\n\n\r\n")
    assert "long closed" not in fresh.get("/notes").json()
    fresh.get("/open/long")  # it writes, and so learns that its client has gone
    eventually(fresh.seen("long closed"))
    assert fresh.status()["worker_pid"] == pid


def test_a_handler_that_does_not_return_in_time_costs_the_whole_worker(fresh: HostProcess) -> None:
    pid = fresh.status()["worker_pid"]

    with fresh.raw(get("/hang")) as hanging:
        assert until(hanging, b"\r\n\r\n").startswith(b"HTTP/1.1 500 ")

    assert f"The function 'hang' did not return within functionTimeout (2 s): its worker, process {pid}," in fresh.log
    # The first 500 is there before the next worker is.
    eventually(lambda: replaced(fresh, pid))
    assert fresh.get("/chat").status_code == 200


@pytest.mark.slow
def test_the_third_death_of_a_worker_ends_the_host(app: Path) -> None:
    with HostProcess(app) as host:
        host.ready()
        for _ in range(2):
            assert host.get("/die").status_code == 500
            # The second worker's successor is there after ten seconds.
            eventually(lambda: host.status()["worker_pid"], seconds=20)
        with host.raw(get("/die")) as last:
            assert rest(last) == b""

        assert host.process.wait(15) == 1
        assert host.log.splitlines()[-1].startswith("ERROR host: The worker has died 3 times")


def test_a_control_byte_in_a_header_value_is_a_400_of_the_worker_and_the_invocation_costs_the_worker(
    fresh: HostProcess,
) -> None:
    pid = fresh.status()["worker_pid"]

    for byte in [*range(1, 9), 11, 12, *range(14, 32), 127]:
        with fresh.raw(get("/chat", f"x-user: a{chr(byte)}b")) as connection:
            answer = until(connection, b"received.")
            assert answer.startswith(b"HTTP/1.1 400 "), byte

    eventually(lambda: replaced(fresh, pid))
    assert f"The function 'chat' did not return within functionTimeout (2 s): its worker, process {pid}," in fresh.log
    assert fresh.get("/chat").status_code == 200


def test_a_header_value_outside_ascii_waits_for_an_invocation_that_costs_the_worker(fresh: HostProcess) -> None:
    pid = fresh.status()["worker_pid"]

    with fresh.raw(get("/chat", "x-user: café")) as connection:
        connection.settimeout(1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(15)
        answer = until(connection, b"\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"content-length: 0\r\n" in answer
    eventually(lambda: replaced(fresh, pid))
    assert fresh.get("/chat").status_code == 200


@pytest.mark.slow
def test_an_app_that_breaks_and_is_repaired_comes_back(tmp_path: Path) -> None:
    code = write_app(tmp_path) / "function_app.py"
    sound = code.read_text()
    with HostProcess(tmp_path) as host:
        host.ready()
        code.write_text("1 / 0\n")
        assert host.get("/die").status_code == 500

        assert host.get("/chat").status_code == 503
        assert "ZeroDivisionError: division by zero" in host.log
        assert "The worker could not start: the next attempt is in 10 s" in host.log

        code.write_text(sound)
        eventually(lambda: host.get("/chat").status_code == 200, seconds=20)


def test_a_request_without_a_byte_for_too_long_is_ended(app: Path) -> None:
    with HostProcess(app, "--idle", "1") as host:
        with host.ready().raw(get("/silent")) as silent, host.raw(get("/chat?gated&name=idle")) as gated:
            assert until(silent, b"\r\n\r\n").startswith(b"HTTP/1.1 500 ")
            assert rest(gated).endswith(b"data: one\n\n\r\n")
        eventually(host.seen("idle closed"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_termination_ends_everything_at_once_and_without_a_traceback(app: Path, number: signal.Signals) -> None:
    with HostProcess(app) as host:
        pid = host.ready().status()["worker_pid"]
        with host.raw(get("/chat?gated")) as connection:
            until(connection, b"data: one\n\n\r\n")

            assert host.end(number) == 0
            with pytest.raises(ConnectionResetError):
                connection.recv(1)

        assert gone(pid)
        assert "Traceback" not in host.log


def test_on_an_interrupt_an_open_stream_goes_on_until_its_end_and_nothing_new_is_taken(tmp_path: Path) -> None:
    with HostProcess(write_app(tmp_path, code=TIMED_APP)) as host:
        with host.ready().raw(get("/chat")) as stream:
            until(stream, b"first\r\n")
            host.process.send_signal(signal.SIGINT)
            eventually(lambda: refused(host.address))
            assert rest(stream) == b"4\r\nlast\r\n0\r\n\r\n"

        assert host.process.wait(15) == 0
        assert "an open stream holds the host for up to 30 s; Ctrl-C again ends it" in host.log
        assert "Traceback" not in host.log


def test_a_second_interrupt_resets_what_the_first_has_left(app: Path) -> None:
    with HostProcess(app) as host, host.ready().raw(get("/chat?gated")) as stream:
        pid = host.status()["worker_pid"]
        until(stream, b"data: one\n\n\r\n")
        host.process.send_signal(signal.SIGINT)
        eventually(lambda: refused(host.address))
        host.process.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionResetError):
            stream.recv(1)

        assert host.process.wait(15) == 0
        assert gone(pid)


def test_without_an_open_stream_an_interrupt_ends_the_host_at_once_and_quiet_it_has_shown_no_call(app: Path) -> None:
    with HostProcess(app, "--quiet") as host, host.ready().raw(get("/items/1")) as idle:
        until(idle, b'"query":""}')
        assert host.end(signal.SIGINT) == 0
        assert rest(idle) == b""
        assert "holds the host" not in host.log
        assert host.process.stdout is not None
        assert host.process.stdout.read() == ""


def test_an_interrupt_during_the_start_ends_everything(app: Path) -> None:
    with HostProcess(app) as host:
        # The first sign of life: the note about the settings.
        eventually(lambda: "INFO host:" in host.log)

        assert host.end(signal.SIGINT) == 0
        assert "Traceback" not in host.log


def test_while_the_host_drains_streams_go_on_until_they_end_and_nothing_new_is_taken(tmp_path: Path) -> None:
    with HostProcess(write_app(tmp_path, code=TIMED_APP), "--grace", "20") as host:
        pid = host.ready().status()["worker_pid"]
        worker = ("127.0.0.1", int(host.status()["worker_address"].rpartition(":")[2]))
        with host.raw(get("/chat")) as timed, host.raw(get("/chat?gated")) as stream, host.raw(get("/items/1")) as idle:
            until(timed, b"first\r\n")
            until(stream, b"first\r\n")
            until(idle, b"0\r\n\r\n")
            host.process.send_signal(signal.SIGUSR1)
            assert rest(idle) == b""
            eventually(lambda: refused(host.address))
            eventually(lambda: refused(worker))
            assert rest(timed) == b"4\r\nlast\r\n0\r\n\r\n"
            assert not gone(pid)

        assert host.process.wait(15) == 0
        assert gone(pid)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGINT])
def test_a_stream_that_outlives_the_grace_is_reset(app: Path, number: signal.Signals) -> None:
    with HostProcess(app, "--grace", "0.5") as host:
        pid = host.ready().status()["worker_pid"]
        with host.raw(get("/chat?gated")) as stream:
            until(stream, b"data: one\n\n\r\n")

            assert host.end(number) == 0
            with pytest.raises(ConnectionResetError):
                stream.recv(1)

        assert gone(pid)


def test_the_worker_dies_with_a_host_that_is_killed(app: Path) -> None:
    with HostProcess(app) as host:
        pid = host.ready().status()["worker_pid"]

        host.process.kill()

        eventually(lambda: gone(pid))


def test_a_busy_port_is_one_clear_line(app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        found = run("--app", str(app), "--port", str(taken.getsockname()[1]))

    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].startswith(f"ERROR host: Port {taken_port(found)} of 127.0.0.1 cannot be used")
    assert "Traceback" not in found.stderr


def test_a_python_that_is_not_there_is_one_clear_line(app: Path) -> None:
    found = run("--app", str(app), "--python", "/nowhere/python")

    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].startswith("ERROR host: Python cannot be started: /nowhere/python")
    assert "Traceback" not in found.stderr


def test_a_python_without_the_worker_library_is_one_clear_line(app: Path, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} -S "$@"\n')
    bare.chmod(0o755)

    found = run("--app", str(app), "--python", str(bare))

    assert found.returncode == 1
    assert "is missing (pip install -r dev/requirements-run.txt)" in found.stderr.splitlines()[-1]
    assert "Traceback" not in found.stderr


def test_an_app_that_cannot_be_imported_is_named_with_its_traceback(tmp_path: Path) -> None:
    found = run("--app", str(write_app(tmp_path, code="import nowhere_to_be_found\n")))

    assert found.returncode == 1
    assert "import nowhere_to_be_found" in found.stderr
    assert "No module named 'nowhere_to_be_found'" in found.stderr.splitlines()[-1]


def test_an_app_without_http_streaming_is_one_clear_line(tmp_path: Path) -> None:
    found = run("--app", str(write_app(tmp_path, code=CLASSIC_APP)))

    assert found.returncode == 1
    assert "HTTP streaming is off" in found.stderr.splitlines()[-1]


def test_an_invalid_option_or_folder_is_a_status_of_2(tmp_path: Path) -> None:
    assert run("--nonsense").returncode == 2
    assert run("--app", str(tmp_path)).returncode == 2


def test_a_call_to_paste_follows(app: Path) -> None:
    with HostProcess(app) as host:
        host.ready()
        assert host.process.stdout is not None
        assert host.process.stdout.readline() == "\n"
        example = """curl -N -H 'content-type: application/json' -d '{"input":"hi"}'"""
        assert host.process.stdout.readline() == f"{example} {host.url}/chat\n"


def replaced(host: HostProcess, pid: int) -> bool:
    """Return whether another worker serves in place of this one."""
    return gone(pid) and host.status()["worker_pid"] not in (pid, None)


def refused(address: tuple[str, int]) -> bool:
    """Return whether no connection is accepted. While a listener closes, one that it has not accepted yet is reset."""
    try:
        socket.create_connection(address).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def taken_port(found: subprocess.CompletedProcess[str]) -> str:
    return str(found.args[found.args.index("--port", found.args.index("--app")) + 1])


TIMED_APP = """
import asyncio
import azure.functions as func
from azurefunctions.extensions.http.fastapi import Request, StreamingResponse

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="chat", methods=["GET"])
async def chat(req: Request) -> StreamingResponse:
    async def pieces():
        yield "first"
        await asyncio.sleep(60 if "gated" in req.query_params else 1)
        yield "last"

    return StreamingResponse(pieces())


@app.route(route="items/{id}", methods=["GET"])
async def items(req: Request) -> StreamingResponse:
    async def pieces():
        yield req.path_params["id"]

    return StreamingResponse(pieces())
"""

CLASSIC_APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="chat", methods=["GET"])
async def chat(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hi")
"""
