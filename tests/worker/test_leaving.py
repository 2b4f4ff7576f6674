"""Leaving stops the spending: in every phase a client that leaves closes the upstream within a second."""

import time
from collections.abc import Iterator
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


@pytest.fixture(params=ALL)
def ask(request: pytest.FixtureRequest, app: App) -> Any:
    """Begins a request in one of the ways that there are; the prompt carries the behaviour."""
    kind: str = request.param
    accepts = {
        "sse": "text/event-stream",
        "ndjson": "application/x-ndjson",
        "text": "text/plain",
        "json": "application/json",
    }

    def begin(prompt: str, *, receive_buffer: int | None = None) -> Probe:
        if kind.startswith("chat"):
            return app.probe(prompt, accept=accepts[kind.split()[1]], receive_buffer=receive_buffer)
        body: dict[str, Any] = {"model": "gpt", "stream": not kind.endswith("whole")}
        if kind == "responses":
            return app.probe(body | {"input": prompt}, "/v1/responses", receive_buffer=receive_buffer)
        messages = [{"role": "user", "content": prompt}]
        return app.probe(body | {"messages": messages}, "/v1/chat/completions", receive_buffer=receive_buffer)

    begin.kind = kind  # type: ignore[attr-defined]
    return begin


def test_before_the_upstreams_headers(ask: Any, simulator: Simulator) -> None:
    with ask(sim(header_delay=20)):
        simulator.wait_for(ended="open")
    assert ended(simulator, "client_gone")["phase"] == "before_headers"


@pytest.mark.parametrize("ask", STREAMED_UPSTREAM, indirect=True)
def test_before_the_first_content(ask: Any, simulator: Simulator) -> None:
    with ask(sim(start_delay=20)):
        simulator.wait_for(ended="open")
        time.sleep(0.2)
    ended(simulator, "client_gone")


def test_after_the_commit_and_before_the_first_content(app: App, simulator: Simulator) -> None:
    with app.probe(sim(start_delay=20)) as probe:
        probe.read_until(b": heartbeat")
    ended(simulator, "client_gone")


@pytest.mark.parametrize("ask", STREAMED_UPSTREAM, indirect=True)
def test_between_deltas(ask: Any, simulator: Simulator) -> None:
    with ask(sim(tokens=["first", *["x"] * 200], interval=0.1)) as probe:
        if ask.kind == "chat json":
            simulator.wait_for(ended="open")
            time.sleep(0.3)
        else:
            probe.read_until(b"first")
    record = ended(simulator, "client_gone")
    assert record["tokens_sent"] < 50


@pytest.mark.parametrize("ask", STREAMED_DOWN, indirect=True)
def test_while_the_client_reads_slowly(ask: Any, simulator: Simulator) -> None:
    simulator.behave({"tokens": ["x" * 10_000] * 2000, "interval": 0, "sndbuf": 65536})
    with ask("hi", receive_buffer=SLOW_READER_BYTES) as probe:
        probe.read_until(b"xxxx")
        time.sleep(0.7)
        sent = simulator.requests()[0]["tokens_sent"]
        assert sent < 1500, "a slow reader slows the upstream"
    ended(simulator, "client_gone")


def test_while_waiting_for_a_token(simulator: Simulator) -> None:
    with App.start(simulator) as app:
        simulator.behave_identity(delay=20)
        for count, way in enumerate(WAYS.values(), 1):
            with way.begin(app, "gpt"):
                simulator.wait_for_identity(timeout=5, count=count)
            assert simulator.wait_for_identity(ended="client_gone", timeout=2, count=count)
        assert simulator.requests() == []
        assert len(app.receipts(ended="client_left", count=len(WAYS))) == len(WAYS)
        simulator.behave_identity()
        assert app.chat(sim(tokens=2, interval=0)).events[-1]["type"] == "finished"


@only_on_linux("a full backlog drops connections")
def test_while_connecting(simulator: Simulator) -> None:
    with App.start(simulator) as app:
        simulator.behave(main={"drop_connection": True})
        for way in WAYS.values():
            with way.begin(app, "gpt"):
                time.sleep(0.5)
        receipts = app.receipts(ended="client_left", count=len(WAYS))
        assert len(receipts) == len(WAYS)
        assert {receipt["attempts"][0]["outcome"] for receipt in receipts} == {"abandoned"}
        assert max(receipt["duration_seconds"] for receipt in receipts) < 2


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
