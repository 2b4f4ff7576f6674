"""Leaving stops the spending: in every phase a client that leaves closes the upstream within a second."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Probe
from tests.app_process import App
from tests.platforms import only_on_linux
from tests.worker.sim import ended, sim
from tests.worker.ways import WAYS

SLOW_READER_BYTES = 4096


ALL = ["chat sse", "chat ndjson", "chat text", "chat json", "openai stream", "openai whole", "responses"]
STREAMED_UPSTREAM = [kind for kind in ALL if kind != "openai whole"]
STREAMED_DOWN = [kind for kind in STREAMED_UPSTREAM if kind != "chat json"]


ACCEPTS = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "text": "text/plain",
    "json": "application/json",
}


def begin(app: App, kind: str, prompt: str, *, receive_buffer: int | None = None) -> Probe:
    """Begin a request in one of the ways that there are; the prompt carries the behaviour."""
    if kind.startswith("chat"):
        return app.probe(prompt, accept=ACCEPTS[kind.split()[1]], receive_buffer=receive_buffer)
    body: dict[str, Any] = {"model": "gpt", "stream": not kind.endswith("whole")}
    if kind == "responses":
        return app.probe(body | {"input": prompt}, "/v1/responses", receive_buffer=receive_buffer)
    messages = [{"role": "user", "content": prompt}]
    return app.probe(body | {"messages": messages}, "/v1/chat/completions", receive_buffer=receive_buffer)


@pytest.mark.parametrize("kind", ALL)
def test_before_the_upstreams_headers(app: App, simulator: Simulator, kind: str) -> None:
    with begin(app, kind, sim(header_delay=20)):
        simulator.wait_for(ended="open")
    assert ended(simulator, "client_gone")["phase"] == "before_headers"


@pytest.mark.parametrize("kind", STREAMED_UPSTREAM)
def test_before_the_first_content(app: App, simulator: Simulator, kind: str) -> None:
    with begin(app, kind, sim(start_delay=20)):
        simulator.wait_for(ended="open")
        time.sleep(0.2)
    ended(simulator, "client_gone")


def test_after_the_commit_and_before_the_first_content(app: App, simulator: Simulator) -> None:
    with app.probe(sim(start_delay=20)) as probe:
        probe.read_until(b": heartbeat")
    ended(simulator, "client_gone")


@pytest.mark.parametrize("kind", STREAMED_UPSTREAM)
def test_between_deltas(app: App, simulator: Simulator, kind: str) -> None:
    with begin(app, kind, sim(tokens=["first", *["x"] * 200], interval=0.1)) as probe:
        if kind == "chat json":
            simulator.wait_for(ended="open")
            time.sleep(0.3)
        else:
            probe.read_until(b"first")
    record = ended(simulator, "client_gone")
    assert record["tokens_sent"] < 50


def test_while_the_client_reads_slowly(app: App, simulator: Simulator) -> None:
    simulator.behave({"tokens": ["x" * 10_000] * 2000, "interval": 0, "sndbuf": 65536, "repeat": True})
    with ExitStack() as readers:
        for kind in STREAMED_DOWN:
            probe = begin(app, kind, "hi", receive_buffer=SLOW_READER_BYTES)
            readers.enter_context(probe).read_until(b"xxxx")
        time.sleep(0.7)
        assert len(simulator.requests()) == len(STREAMED_DOWN)
        assert max(record["tokens_sent"] for record in simulator.requests()) < 1500, "a slow reader slows the upstream"
    ended(simulator, "client_gone", count=len(STREAMED_DOWN))


# Before the first call: these follow each other in one process, which has no token and no connection yet.


@pytest.fixture(scope="module")
def fresh(simulator_process: Simulator) -> Iterator[App]:
    """Its second model is that of a backend which nobody has asked."""
    models = {"main": {"gpt": "gpt"}, "second": {"unconnected": "gpt"}}
    backends = [
        {"name": name, "endpoint": simulator_process.backends[name], "deployments": deployments}
        for name, deployments in models.items()
    ]
    settings = {"FIRST_CONTENT_SECONDS": "30", "ATTEMPT_BUDGET_SECONDS": "60"}
    with App.start(simulator_process, AZURE_OPENAI_BACKENDS=json.dumps(backends), **settings) as app:  # type: ignore[arg-type]
        yield app


def test_while_waiting_for_a_token(fresh: App, simulator: Simulator) -> None:
    simulator.behave_identity(delay=20)
    for count, way in enumerate(WAYS.values(), 1):
        with way.begin(fresh, "gpt"):
            simulator.wait_for_identity(timeout=5, count=count)
        assert simulator.wait_for_identity(ended="client_gone", timeout=2, count=count)
    assert simulator.requests() == []
    assert len(fresh.receipts(ended="client_left", count=len(WAYS))) == len(WAYS)


def test_an_identity_endpoint_that_fails_is_the_operators_business_and_then_one_token_is_fetched_for_all(
    fresh: App, simulator: Simulator
) -> None:
    simulator.behave_identity(status=400)
    seen = fresh.chat("hi")
    assert (seen.status, seen.json["error"]["code"]) == (502, "identity_unavailable")
    assert fresh.has_logged("No token for")
    before = len(simulator.identity_requests())
    simulator.behave_identity(delay=0.5)
    probes = [fresh.probe(sim(tokens=1, interval=0), accept="text/plain") for _ in range(20)]
    assert {(seen.status, seen.ending) for seen in [probe.read_all() for probe in probes]} == {(200, "complete")}
    assert len(simulator.identity_requests()) == before + 1


@only_on_linux("a full backlog drops connections")
def test_while_connecting(fresh: App, simulator: Simulator) -> None:
    simulator.behave(second={"drop_connection": True})
    probes = [way.begin(fresh, "unconnected") for way in WAYS.values()]
    time.sleep(0.5)
    for probe in probes:
        probe.close()
    receipts = fresh.receipts(ended="client_left", model="unconnected", count=len(WAYS))
    assert len(receipts) == len(WAYS)
    assert {receipt["attempts"][0]["outcome"] for receipt in receipts} == {"abandoned"}
    assert max(receipt["duration_seconds"] for receipt in receipts) < 5


# Afterwards.


def test_a_client_that_leaves_at_once_costs_one_request_at_most(app: App, simulator: Simulator) -> None:
    for _ in range(20):
        app.probe(sim(header_delay=20)).close()
    deadline, seen, records = time.monotonic() + 15, None, simulator.requests()
    while seen != records and time.monotonic() < deadline:  # the last ones may not have arrived yet
        time.sleep(1)
        seen, records = records, simulator.requests()
    assert {record["ended"] for record in records} <= {"client_gone"}
    assert len(records) <= 20


def test_a_background_response_goes_on_without_its_reader(app: App, simulator: Simulator) -> None:
    prompt = sim(tokens=["first", *["x"] * 10], interval=0.05)
    body = {"model": "gpt", "input": prompt, "stream": True, "background": True, "store": True}
    with app.probe(body, "/v1/responses") as probe:
        text = probe.read_until(b"resp_").decode()
    response_id = "resp_" + text.partition('"id":"resp_')[2].partition('"')[0]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        seen = Probe(f"{app.url}/v1/responses/{response_id}").read_all()
        if seen.json.get("status") == "completed":
            return
        time.sleep(0.1)
    pytest.fail("the response did not complete")


@pytest.fixture(autouse=True)
def _nothing_stays_open(simulator: Simulator) -> Iterator[None]:
    yield
    deadline = time.monotonic() + 3
    while (still := simulator.requests(ended="open")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert still == []
