"""How the development host and its worker end, and what becomes of the requests meanwhile."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dev.host_process import ROOT, HostProcess, eventually, get, gone, rest, send_and_go, until, write_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def mortal(app: Path) -> Iterator[HostProcess]:
    """Its worker may die: each test waits for the next one."""
    with HostProcess(app, "--set", "AzureFunctionsJobHost__functionTimeout=00:00:02", "--idle", "0.5") as process:
        yield process.ready()


@pytest.fixture
def fresh(app: Path) -> Iterator[HostProcess]:
    """Its worker dies for the first time: the next one starts soon."""
    with HostProcess(app, "--set", "AzureFunctionsJobHost__functionTimeout=00:00:02") as process:
        yield process.ready()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dev.host", "--port", "0", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def test_a_worker_that_dies_before_the_head_is_an_empty_500_and_is_replaced(mortal: HostProcess) -> None:
    before = mortal.status()

    answer = mortal.get("/die")

    assert (answer.status_code, answer.content) == (500, b"")
    assert mortal.get("/chat").status_code == 200  # waits for the next worker
    after = mortal.status()
    assert after["restarts"] == before["restarts"] + 1
    assert after["worker_pid"] != before["worker_pid"]
    assert f"The worker, process {before['worker_pid']}, has died (exit status 3)" in mortal.log


def test_a_worker_that_dies_after_the_head_cuts_every_open_stream(mortal: HostProcess) -> None:
    with mortal.raw(get("/chat?gated")) as other, mortal.raw(get("/die?late")) as dying:
        until(other, b"data: one\n\n\r\n")
        answer = rest(dying)
        remainder = rest(other)

    assert answer.endswith(b"4\r\nhalf\r\n")
    assert remainder == b""
    assert mortal.get("/chat").status_code == 200


def test_a_handler_that_does_not_return_in_time_costs_the_whole_worker(mortal: HostProcess) -> None:
    pid = mortal.status()["worker_pid"]

    with mortal.raw(get("/hang")) as hanging:
        # The idle limit answers this client; the handler is not cancelled by that.
        assert until(hanging, b"\r\n\r\n").startswith(b"HTTP/1.1 500 ")
        eventually(lambda: gone(pid))

    assert "The function 'hang' did not return within functionTimeout (2 s)" in mortal.log
    assert mortal.get("/chat").status_code == 200


def test_a_control_byte_in_a_header_value_is_a_400_of_the_worker_and_the_invocation_costs_the_worker(
    fresh: HostProcess,
) -> None:
    pid = fresh.status()["worker_pid"]

    for byte in [*range(1, 9), 11, 12, *range(14, 32), 127]:
        with fresh.raw(get("/chat", f"x-user: a{chr(byte)}b")) as connection:
            answer = until(connection, b"received.")
            assert answer.startswith(b"HTTP/1.1 400 "), byte

    eventually(lambda: replaced(fresh, pid))
    assert "The function 'chat' did not return within functionTimeout (2 s)" in fresh.log
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


@pytest.mark.parametrize("abortive", [True, False], ids=["reset", "closed"])
def test_clients_that_go_at_once_leave_invocations_that_cost_the_worker(fresh: HostProcess, abortive: bool) -> None:
    pid = fresh.status()["worker_pid"]

    # Of the resets about one in ten comes between the invocation and its HTTP request.
    send_and_go(fresh.address, get("/chat"), times=300, abortive=abortive)

    eventually(lambda: replaced(fresh, pid))
    assert fresh.get("/chat").status_code == 200


def test_an_app_that_breaks_and_is_mended_comes_back(tmp_path: Path) -> None:
    code = write_app(tmp_path) / "function_app.py"
    sound = code.read_text()
    with HostProcess(tmp_path) as host:
        host.ready()
        code.write_text("1 / 0\n")
        assert host.get("/die").status_code == 500

        assert host.get("/chat").status_code == 503
        assert "ZeroDivisionError: division by zero; the next attempt is in" in host.log

        code.write_text(sound)
        eventually(lambda: host.get("/chat").status_code == 200)


def test_a_stream_whose_handler_has_returned_loses_only_itself_to_the_timeout(app: Path) -> None:
    with HostProcess(app, "--set", "AzureFunctionsJobHost__functionTimeout=00:00:01") as host:
        pid = host.ready().status()["worker_pid"]
        with host.raw(get("/chat?gated&name=long")) as connection:
            answer = rest(connection)

        assert answer.endswith(b"data: one\n\n\r\n")
        eventually(host.seen("long closed"))
        assert host.status()["worker_pid"] == pid


def test_a_request_without_a_byte_for_too_long_is_ended(mortal: HostProcess) -> None:
    assert mortal.get("/silent").status_code == 500
    with mortal.raw(get("/chat?gated&name=idle")) as connection:
        assert rest(connection).endswith(b"data: one\n\n\r\n")
    eventually(mortal.seen("idle closed"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_an_interrupt_ends_everything_at_once_and_without_a_traceback(app: Path, number: signal.Signals) -> None:
    with HostProcess(app) as host:
        pid = host.ready().status()["worker_pid"]
        with host.raw(get("/chat?gated")) as connection:
            until(connection, b"data: one\n\n\r\n")

            assert host.end(number) == 0
            assert rest(connection) == b""

        assert gone(pid)
        assert "Traceback" not in host.log


def test_an_interrupt_during_the_start_ends_everything(app: Path) -> None:
    with HostProcess(app) as host:
        # The first sign of life: the note about the settings.
        eventually(lambda: "INFO host:" in host.log)

        assert host.end(signal.SIGINT) == 0
        assert "Traceback" not in host.log


def test_on_sigterm_open_streams_stay_and_nothing_new_is_taken(app: Path) -> None:
    with HostProcess(app, "--grace", "20") as host:
        pid = host.ready().status()["worker_pid"]
        worker = ("127.0.0.1", int(host.status()["worker_address"].rpartition(":")[2]))
        with host.raw(get("/chat?gated&name=drain")) as stream, host.raw(get("/items/1")) as idle:
            until(stream, b"data: one\n\n\r\n")
            until(idle, b'"query":""}')
            host.process.send_signal(signal.SIGTERM)
            assert rest(idle) == b""
            eventually(lambda: refused(host.address))
            eventually(lambda: refused(worker))
            assert not gone(pid)

        assert host.process.wait(15) == 0
        assert gone(pid)


def test_a_stream_that_outlives_the_grace_is_cut(app: Path) -> None:
    with HostProcess(app, "--grace", "0.5") as host:
        pid = host.ready().status()["worker_pid"]
        with host.raw(get("/chat?gated")) as stream:
            until(stream, b"data: one\n\n\r\n")

            assert host.end(signal.SIGTERM) == 0
            assert rest(stream) == b""

        assert gone(pid)
        assert "did not end within 0.5 s: it is killed" in host.log


def test_a_stream_that_ends_within_the_grace_ends_cleanly(tmp_path: Path) -> None:
    with HostProcess(write_app(tmp_path, code=TIMED_APP), "--grace", "10") as host:
        with host.ready().raw(get("/chat")) as stream:
            until(stream, b"first\r\n")
            host.process.send_signal(signal.SIGTERM)
            remainder = rest(stream)

        assert remainder == b"4\r\nlast\r\n0\r\n\r\n"
        assert host.process.wait(15) == 0


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


def test_an_app_without_http_streaming_is_told_so(tmp_path: Path) -> None:
    found = run("--app", str(write_app(tmp_path, code=CLASSIC_APP)))

    assert found.returncode == 1
    assert "HTTP streaming is off" in found.stderr.splitlines()[-1]


def test_a_wrong_option_or_a_wrong_folder_is_a_status_of_2(tmp_path: Path) -> None:
    assert run("--nonsense").returncode == 2
    assert run("--app", str(tmp_path)).returncode == 2


def test_a_call_to_paste_follows_unless_it_is_quiet(app: Path) -> None:
    with HostProcess(app) as host:
        host.ready()
        assert host.process.stdout is not None
        assert host.process.stdout.readline() == "\n"
        example = """curl -N -H 'content-type: application/json' -d '{"input":"hi"}'"""
        assert host.process.stdout.readline() == f"{example} {host.url}/chat\n"
    with HostProcess(app, "--quiet") as host:
        host.ready()
        host.end(signal.SIGINT)
        assert host.process.stdout is not None
        assert host.process.stdout.read() == ""


def replaced(host: HostProcess, pid: int) -> bool:
    """Return whether another worker serves in place of this one."""
    return gone(pid) and host.status()["worker_pid"] not in (pid, None)


def refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address).close()
    except ConnectionRefusedError:
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
        await asyncio.sleep(1)
        yield "last"

    return StreamingResponse(pieces())
"""

CLASSIC_APP = """
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="chat", methods=["GET"])
async def chat(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("hi")
"""
