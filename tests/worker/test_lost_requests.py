"""Requests whose invocation reaches the worker and whose HTTP half does not: each ends alone."""

import socket
import time

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from tests.app_process import App
from tests.dev.host_process import eventually, get, rest, send_and_go
from tests.worker.sim import sim
from tests.worker.ways import WAYS, Outcome

TIMEOUT_SECONDS = 16
"""The host's functionTimeout: beyond the ten seconds after which the app gives an invocation up."""
KILL_SECONDS = TIMEOUT_SECONDS + 2
"""When the host would kill the worker: it acts two seconds late."""
STREAMS_BEGIN_SECONDS = 5
TOKENS = ["x"] * 14
"""With half a second between them: still streaming when the lost invocations are given up."""
LEAVERS = 30
HTTP_DELAY_SECONDS = 1.5
"""The host holds back each HTTP request so long: every client that leaves in between leaves an invocation without it."""
PATIENCE_SECONDS = 20


def send(url: str, request: str) -> socket.socket:
    """Return a connection that has sent this, line ends added."""
    host, _, port = url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)
    connection.sendall(request.replace("\n", "\r\n").encode())
    return connection


def lost(app: App) -> int:
    return app.log.count("RequestNeverArrived: The HTTP request of this invocation did not arrive within 10 s")


@pytest.mark.slow
def test_a_request_that_never_reaches_the_worker_ends_alone_and_the_worker_lives(simulator: Simulator) -> None:
    settings = {"AzureFunctionsJobHost__functionTimeout": f"00:00:{TIMEOUT_SECONDS}"}
    with App.start(simulator, arguments=("--http-delay", f"{HTTP_DELAY_SECONDS}"), **settings) as app:
        pid, tasks, begun = app.worker_pid, app.worker_tasks, time.monotonic()
        controlled = [send(app.url, get("/health", f"x-user: a{char}", "connection: close")) for char in "\x01\x1b\x7f"]
        unsendable = [
            send(app.url, get("/health", "x-user: café", "connection: close")),
            send(app.url, get("/page/app.js", "x-user: 名", "connection: close")),
            send(app.url, get("/chat", "x-user: José", "connection: close").replace("GET", "POST", 1)),
            send(app.url, get("/v1/any", "x-user: é", "connection: close").replace("GET", "OPTIONS", 1)),
        ]
        # The other half alone, which the host sends for an invocation that has failed already.
        worker = ask(app.url + "/admin/host/status").json["worker_address"]
        unannounced = send(worker, get("/health", "x-ms-invocation-id: unknown", "connection: close"))
        send_and_go(controlled[0].getpeername(), get("/health"), times=LEAVERS, seconds=HTTP_DELAY_SECONDS / 2)
        time.sleep(max(0, begun + STREAMS_BEGIN_SECONDS - time.monotonic()))
        streams = {
            name: WAYS[name].begin(app, "gpt", sim(tokens=TOKENS, interval=0.5)) for name in ("chat sse", "openai chat")
        }

        for connection in controlled:
            with connection:
                assert rest(connection).startswith(b"HTTP/1.1 400 ")
        for connection in unsendable:
            with connection:
                assert rest(connection).startswith(b"HTTP/1.1 500 ")
        with unannounced:
            answer = rest(unannounced)
        outcomes = {name: WAYS[name].outcome(stream.read_all()) for name, stream in streams.items()}
        time.sleep(max(0, begun + KILL_SECONDS + 2 - time.monotonic()))
        assert "is killed" not in app.log
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'"code":"invocation_lost"' in answer
        assert outcomes == dict.fromkeys(streams, Outcome("finished", words="".join(TOKENS)))
        assert ask(app.url + "/health").status == 200
        assert app.worker_pid == pid
        assert lost(app) == len(controlled) + len(unsendable) + LEAVERS
        assert lost(app) == app.log.count("ERROR host: The function ")  # each is logged once
        eventually(lambda: app.worker_tasks <= tasks + 1)
