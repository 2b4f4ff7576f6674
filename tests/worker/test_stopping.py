"""A process that is told to stop, on the real worker: one for all that can be open by then, since each stops but once."""

import base64
import contextlib
import os
import socket
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Probe, Seen
from tests.app_process import App
from tests.worker.samples import RAW
from tests.worker.sim import sim
from tests.worker.ways import STREAMS, WAYS, Outcome

SETTINGS = {"DRAIN_SECONDS": "4", "FIRST_CONTENT_SECONDS": "60", "ATTEMPT_BUDGET_SECONDS": "60"}
ENDING = ("chat sse", "openai chat")


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of all that was open."""

    ended_in_time: dict[str, Seen]
    """Streams whose upstream came to its end while the process drained, way by way."""
    endless: dict[str, Seen]
    """Streams whose upstream went on."""
    not_begun: Seen
    """An answer in one piece whose upstream had said nothing."""
    said_all: Seen
    """A stream that had had its last frame, while its upstream stayed open."""
    worker_ended: bool
    receipts_of_uploads: int
    """Of the two requests whose body never ended."""
    open_upstreams: int


@pytest.fixture(scope="module")
def stopped(simulator_process: Simulator) -> Stopped:
    simulator = simulator_process
    simulator.reset()
    raw: dict[str, Any] = {"raw": [[0, RAW], [60, base64.b64encode(b": late\n\n").decode()]]}
    ends, goes_on = [" you"] * 10, [" you"] * 300
    with App.start(simulator, **SETTINGS) as app:  # type: ignore[arg-type]
        worker = app.worker_pid
        endless = begin(app, STREAMS, sim(tokens=["Hello", *goes_on], interval=0.2))
        not_begun = WAYS["chat json"].begin(app, "gpt", sim(start_delay=60))
        said_all = WAYS["openai chat"].begin(app, "gpt", sim(**raw))
        said_all.read_until(b"[DONE]\n\n")
        uploads = [upload(app) for _ in range(2)]
        simulator.wait_for(count=len(endless) + 2)
        ending = begin(app, ENDING, sim(tokens=["Hello", *ends], interval=0.1))
        app.drain()
        deadline = time.monotonic() + 20
        while is_running(worker) and time.monotonic() < deadline:
            time.sleep(0.2)
            for connection in uploads:
                trickle(connection)
        worker_ended = not is_running(worker)
        seen = Stopped(
            ended_in_time={way: probe.read_all() for way, probe in ending.items()},
            endless={way: probe.read_all() for way, probe in endless.items()},
            not_begun=not_begun.read_all(),
            said_all=said_all.read_all(),
            worker_ended=worker_ended,
            receipts_of_uploads=len(app.receipts(count=2, ended="server_stopping", model="")),
            open_upstreams=len(simulator.requests(ended="open")),
        )
        for probe in (*ending.values(), *endless.values(), not_begun, said_all):
            probe.close()
        for connection in uploads:
            connection.close()
    return seen


def begin(app: App, ways: Any, prompt: str) -> dict[str, Probe]:
    """Streams that have had their first word."""
    probes = {way: WAYS[way].begin(app, "gpt", prompt) for way in ways}
    for probe in probes.values():
        probe.read_until(b"Hello")
    return probes


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


@pytest.mark.parametrize("way", ENDING)
def test_a_stopping_process_lets_streams_finish(stopped: Stopped, way: str) -> None:
    assert WAYS[way].outcome(stopped.ended_in_time[way]).kind == "finished"


@pytest.mark.parametrize("way", STREAMS)
def test_a_stopping_process_ends_the_rest_honestly(stopped: Stopped, way: str) -> None:
    outcome = WAYS[way].outcome(stopped.endless[way])
    assert outcome == WAYS[way].broken("server_stopping", outcome.words)


def test_a_stopping_process_refuses_what_has_not_begun_and_leaves_no_upstream_open(stopped: Stopped) -> None:
    assert WAYS["chat json"].outcome(stopped.not_begun) == Outcome("refused", "server_stopping", 503)
    assert stopped.open_upstreams == 0


def test_a_process_that_stops_after_the_last_frame_adds_no_error_to_a_finished_answer(stopped: Stopped) -> None:
    assert stopped.said_all.ending == "complete"
    assert stopped.said_all.body.endswith(b"[DONE]\n\n")


def test_bodies_that_never_end_do_not_keep_a_stopping_process(stopped: Stopped) -> None:
    assert stopped.worker_ended
    assert stopped.receipts_of_uploads == 2


def wait_until_stuck(simulator: Simulator) -> None:
    """Until the upstream sends no more, because its reader does not read."""
    sent, deadline = [-1], time.monotonic() + 30
    while sent != (now := [record["tokens_sent"] for record in simulator.requests()]) or not now:
        assert time.monotonic() < deadline
        sent = now
        time.sleep(1)


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
