"""Deadlines on the real worker: the end of an answer before the host's own, and the end of a process that clients hold up."""

import contextlib
import os
import socket
import time
from urllib.parse import urlsplit

import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.worker.sim import ended, sim
from tests.worker.ways import STREAMS, WAYS, Outcome


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def upload(app: App) -> socket.socket:
    """A request whose body is never complete."""
    address = urlsplit(app.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    connection.sendall(
        b"POST /chat HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        b"1\r\n{\r\n"
    )
    return connection


def trickle(connection: socket.socket) -> None:
    """Another byte, where anybody still listens."""
    with contextlib.suppress(OSError):
        connection.sendall(b"1\r\n \r\n")


def wait_until_stuck(simulator: Simulator) -> None:
    """Until the upstream sends no more, because its reader does not read."""
    sent, deadline = [-1], time.monotonic() + 30
    while sent != (now := [record["tokens_sent"] for record in simulator.requests()]) or not now:
        assert time.monotonic() < deadline
        sent = now
        time.sleep(1)


def test_before_functiontimeout_an_answer_ends_honestly_in_every_format(simulator: Simulator) -> None:
    with App.start(simulator, AzureFunctionsJobHost__functionTimeout="00:00:08") as app:
        prompt = sim(tokens=["Hello", *[" you"] * 200], interval=0.1)
        probes = [WAYS[name].begin(app, f"model {name}", prompt) for name in STREAMS]
        waiting = WAYS["chat json"].begin(app, "model", prompt)
        for name, probe in zip(STREAMS, probes, strict=True):
            outcome = WAYS[name].outcome(probe.read_all())
            assert outcome == WAYS[name].broken("function_timeout", outcome.words)
        assert WAYS["chat json"].outcome(waiting.read_all()) == Outcome("refused", "function_timeout", 504)
        count = len(STREAMS) + 1
        assert len(app.receipts(count=count, ended="function_timeout")) == count
        ended(simulator, "client_gone", count=count)


def test_bodies_that_never_end_do_not_keep_a_stopping_process(simulator: Simulator) -> None:
    with App.start(simulator, DRAIN_SECONDS="2") as app:
        worker = app.worker_pid
        uploads = [upload(app) for _ in range(2)]
        for _ in range(5):
            time.sleep(0.2)
            for connection in uploads:
                trickle(connection)
        app.drain()
        deadline = time.monotonic() + 7
        while is_running(worker):
            assert time.monotonic() < deadline
            time.sleep(0.2)
            for connection in uploads:
                trickle(connection)
        assert len(app.receipts(count=2, ended="server_stopping")) == 2
        for connection in uploads:
            connection.close()


@pytest.mark.slow
def test_a_client_that_does_not_read_does_not_keep_a_stopping_process(simulator: Simulator) -> None:
    with App.start(simulator, DRAIN_SECONDS="1") as app:
        worker = app.worker_pid
        simulator.behave({"tokens": ["x" * 10_000] * 5000, "interval": 0, "sndbuf": 65536})
        probe = WAYS["chat sse"].begin(app, "gpt", receive_buffer=4096)
        wait_until_stuck(simulator)
        app.drain()
        deadline = time.monotonic() + 12
        while is_running(worker):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert app.receipts(ended="server_stopping")
        probe.close()
