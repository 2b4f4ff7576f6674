"""The life of a stream on the real worker: commit, heartbeats, receipts, bounds, and how it ends with its process."""

import base64
import hashlib
import json
import os
import re
import signal
import time
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Probe, ask
from tests.app_process import App
from tests.worker.samples import RAW
from tests.worker.sim import ended, sim
from tests.worker.ways import STREAMS, WAYS, Outcome

HEARTBEATS = {name: way.heartbeat for name, way in WAYS.items() if way.heartbeat}


@pytest.mark.parametrize("way", HEARTBEATS)
def test_from_the_commit_deadline_on_silence_carries_heartbeats(app: App, way: str) -> None:
    seen, outcome = WAYS[way].ask(app, "gpt", sim(tokens=["Hello", " you"], interval=0, start_delay=2.2))
    assert outcome == Outcome("finished", words="Hello you")
    before, _, _ = seen.body.partition(b"Hello")
    assert before.count(HEARTBEATS[way]) >= 2
    assert before.startswith(HEARTBEATS[way])


@pytest.mark.parametrize("way", HEARTBEATS)
def test_silence_between_deltas_carries_heartbeats(app: App, way: str) -> None:
    seen, outcome = WAYS[way].ask(app, "gpt", sim(tokens=["Hello", " you"], interval=1.4))
    assert outcome == Outcome("finished", words="Hello you")
    assert seen.body.count(HEARTBEATS[way]) >= 1


def test_a_heartbeat_on_an_openai_stream_is_a_block_of_its_own_without_id_and_retry(app: App) -> None:
    seen, _ = WAYS["openai chat"].ask(app, "gpt", sim(tokens=["Hello"], interval=0, start_delay=1.7))
    assert seen.body.startswith(b": heartbeat\n\n")
    assert not re.search(rb"^(id|retry):", seen.body, re.MULTILINE)


def test_plain_text_has_no_heartbeat_and_keeps_its_status_until_the_first_word(app: App) -> None:
    seen, outcome = WAYS["chat text"].ask(app, "gpt", sim(start_delay=1.5, end="reset", after=0))
    assert (outcome.kind, seen.status) == ("refused", 502)


@pytest.mark.parametrize("way", HEARTBEATS)
def test_after_the_commit_a_failure_is_an_error_ending_even_before_content(app: App, way: str) -> None:
    seen, outcome = WAYS[way].ask(app, "gpt", sim(start_delay=1.5, end="reset", after=0))
    assert (seen.status, outcome) == (200, WAYS[way].broken("upstream_cut"))


@pytest.mark.parametrize("way", HEARTBEATS)
def test_after_the_commit_the_answer_may_still_move(simulator: Simulator, way: str, two: App) -> None:
    simulator.behave(main={"start_delay": 1.5, "end": "reset", "after": 0}, second={"tokens": ["Hello"], "interval": 0})
    seen, outcome = WAYS[way].ask(two, f"model {way}")
    assert outcome == Outcome("finished", words="Hello")
    assert seen.body.startswith(HEARTBEATS[way])


@pytest.fixture(scope="module")
def two(simulator_process: Simulator) -> Any:
    backends = [
        {"name": name, "endpoint": simulator_process.backends[name], "priority": number}
        for number, name in enumerate(("main", "second"))
    ]
    with App.start(simulator_process, AZURE_OPENAI_BACKENDS=json.dumps(backends)) as app:
        yield app


def test_the_upstreams_own_keepalives_pass_and_count_as_life(app: App) -> None:
    seen, outcome = WAYS["responses"].ask(app, "gpt", sim(tokens=["Hello", " you"], interval=2.5, keepalive=0.4))
    assert outcome == Outcome("finished", words="Hello you")
    assert sum(event["type"] == "keepalive" for event in seen.events) >= 3
    numbers = [event["sequence_number"] for event in seen.events]
    assert numbers == sorted(numbers)


def test_each_stream_leaves_one_receipt(app: App, simulator: Simulator) -> None:
    seen = app.chat(sim("receipt", tokens=3, interval=0.02))
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert receipt.keys() == {
        "event", "version", "id", "invocation_id", "api", "caller", "format", "model", "backend", "attempts", "status",
        "time_to_first_token_seconds", "duration_seconds", "chunks", "tokens", "ended", "upstream_request_id",
        "trace_id", "operation",
    }  # fmt: skip
    assert (receipt["api"], receipt["format"], receipt["model"], receipt["backend"]) == (
        "chat",
        "sse",
        "gpt",
        "default",
    )
    assert (receipt["status"], receipt["chunks"], receipt["ended"]) == (200, 3, "finished")
    assert receipt["tokens"]["output"] == 3
    assert 0 < receipt["time_to_first_token_seconds"] <= receipt["duration_seconds"]
    assert receipt["attempts"][0]["outcome"] == "content"
    assert receipt["invocation_id"]


@pytest.mark.parametrize("way", ["chat sse", "openai chat", "responses"])
def test_a_receipt_tells_the_time_to_the_first_token_also_after_heartbeats(app: App, way: str) -> None:
    seen, _ = WAYS[way].ask(app, "gpt", sim(tokens=["Hello"], interval=0, start_delay=1.6))
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert HEARTBEATS[way] in seen.body
    assert 1.5 < receipt["time_to_first_token_seconds"] <= receipt["duration_seconds"]


def test_the_id_that_a_relayed_answer_shows_is_the_receipts(app: App) -> None:
    seen, _ = WAYS["openai chat"].ask(app, "gpt", sim(tokens=2, interval=0))
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert (receipt["api"], receipt["ended"], receipt["tokens"]["output"]) == ("openai", "finished", 2)


@pytest.mark.parametrize(
    ("behaviour", "how"),
    [
        ({"status": 429, "headers": {"retry-after-ms": "9000"}}, "rate_limit_exceeded"),
        ({"tokens": 3, "interval": 0, "end": "reset", "after": 1}, "upstream_cut"),
        ({"tokens": 3, "interval": 0, "end": "stall", "after": 1}, "upstream_silent"),
    ],
)
def test_a_receipt_tells_how_it_ended(app: App, behaviour: dict[str, Any], how: str) -> None:
    seen = app.chat(sim(**behaviour))
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert (receipt["ended"], receipt["tokens"]) == (how, "unknown")


def test_a_client_that_left_is_on_its_receipt(app: App, simulator: Simulator) -> None:
    with app.probe(sim("left", tokens=100, interval=0.05)) as probe:
        probe.read_until(b"delta")
    ended(simulator, "client_gone")
    assert app.receipts(ended="client_left", status=200)


def test_a_client_that_leaves_after_the_last_frame_has_a_finished_answer(app: App, simulator: Simulator) -> None:
    # Many clients close at [DONE]; the upstream's own end may come a little later.
    behaviour: dict[str, Any] = {"raw": [[0, RAW], [0.2, base64.b64encode(b": late\n\n").decode()]]}
    with WAYS["openai chat"].begin(app, "left at the end", sim(**behaviour)) as probe:
        probe.read_until(b"[DONE]\n\n")
    assert app.receipts(model="left at the end", ended="finished")


def test_a_process_that_stops_after_the_last_frame_adds_no_error_to_a_finished_answer(simulator: Simulator) -> None:
    behaviour: dict[str, Any] = {"raw": [[0, RAW], [5, base64.b64encode(b": late\n\n").decode()]]}
    with App.start(simulator, DRAIN_SECONDS="0.05") as app:
        with WAYS["openai chat"].begin(app, "gpt", sim(**behaviour)) as probe:
            probe.read_until(b"[DONE]\n\n")
            app.drain()
            seen = probe.read_all()
        assert seen.ending == "complete"
        assert seen.body.endswith(b"[DONE]\n\n")


def test_no_prompt_answer_key_or_token_is_in_the_logs(simulator: Simulator) -> None:
    key = "caller-key-PLANTED"
    digest = hashlib.sha256(key.encode()).hexdigest()
    settings = {"AUTH_MODE": "keys", "CALLER_KEYS": f"alice=sha256:{digest}", "SYSTEM_PROMPT": "system-PLANTED"}
    with App.start(simulator, arguments=("--verbose",), **settings) as app:
        for way in WAYS.values():
            for fault in (
                {},
                {"end": "reset", "after": 1},
                {"end": "malformed", "after": 1},
                {"status": 400},
                {"status": 401},
            ):
                behaviour = {"text": "answer-PLANTED and more", "tokens": 3, "interval": 0, **fault}
                prompt = f"prompt-PLANTED [[sim {json.dumps(behaviour)}]]"
                Probe(
                    app.url + way.path,
                    way.body("gpt", prompt),
                    headers={
                        "content-type": "application/json",
                        "accept": way.accept,
                        "authorization": f"Bearer {key}",
                    },
                ).read_all()
        app.chat(b'{"input": "broken-PLANTED', authorization=f"Bearer {key}")
        app.chat("wrong key", authorization="Bearer wrong-PLANTED")
        assert len(app.receipts(count=40)) >= 40
        tokens = {record["headers"].get("authorization", "")[7:] for record in simulator.requests()}
        assert tokens
        assert "PLANTED" not in app.log
        assert not [token for token in tokens if token in app.log]


def test_a_cap_on_open_streams_is_a_503_with_retry_after(simulator: Simulator) -> None:
    with App.start(simulator, MAX_OPEN_STREAMS="2") as app:
        open_ones = [app.probe(sim(tokens=["first", *["x"] * 50], interval=0.1)) for _ in range(2)]
        for probe in open_ones:
            probe.read_until(b"first")
        seen = app.chat("hi")
        assert (seen.status, seen.json["error"]["code"], seen.headers["retry-after"]) == (503, "too_many_streams", "1")
        for probe in open_ones:
            probe.close()
        simulator.wait_for(ended="client_gone", count=2)
        time.sleep(0.2)
        assert app.chat(sim(tokens=1, interval=0)).status == 200


def test_a_stopping_process_lets_streams_finish(simulator: Simulator) -> None:
    with App.start(simulator, DRAIN_SECONDS="10") as app:
        ways = [WAYS[name] for name in ("chat sse", "openai chat")]
        probes = [way.begin(app, "gpt", sim(tokens=["Hello", *[" you"] * 10], interval=0.1)) for way in ways]
        for probe in probes:
            probe.read_until(b"Hello")
        app.drain()
        assert [way.outcome(probe.read_all()).kind for way, probe in zip(ways, probes, strict=True)] == ["finished"] * 2
        app.wait(10)


def test_a_stopping_process_ends_the_rest_honestly(simulator: Simulator) -> None:
    with App.start(simulator, DRAIN_SECONDS="0.5") as app:
        ways = [WAYS[name] for name in STREAMS]
        probes = [way.begin(app, "gpt", sim(tokens=["Hello", *[" you"] * 100], interval=0.2)) for way in ways]
        for probe in probes:
            probe.read_until(b"Hello")
        waiting = WAYS["chat json"].begin(app, "gpt", sim(start_delay=30))
        simulator.wait_for(count=len(probes) + 1)
        app.drain()
        for way, probe in zip(ways, probes, strict=True):
            outcome = way.outcome(probe.read_all())
            assert outcome == way.broken("server_stopping", outcome.words)
        assert WAYS["chat json"].outcome(waiting.read_all()) == Outcome("refused", "server_stopping", 503)
        app.wait(10)
        assert not simulator.requests(ended="open")


def test_a_killed_worker_is_a_cut_and_the_next_request_is_served(simulator: Simulator) -> None:
    with App.start(simulator) as app:
        with app.probe(sim(tokens=["Hello", *["x"] * 100], interval=0.1)) as probe:
            probe.read_until(b"Hello")
            os.kill(app.worker_pid, signal.SIGKILL)
            assert probe.read_all().ending != "complete"
        ended(simulator, "client_gone", seconds=3)
        deadline = time.monotonic() + 15
        while ask(app.url + "/health").status != 200:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert app.chat(sim(tokens=1, interval=0)).events[-1]["type"] == "finished"


def test_an_identity_endpoint_that_fails_is_the_operators_business_and_then_one_token_is_fetched_for_all(
    simulator: Simulator,
) -> None:
    with App.start(simulator, FIRST_CONTENT_SECONDS="30") as app:
        simulator.behave_identity(status=400)
        seen = app.chat("hi")
        assert (seen.status, seen.json["error"]["code"]) == (502, "identity_unavailable")
        assert app.has_logged("No token for")
        before = len(simulator.identity_requests())
        simulator.behave_identity(delay=0.5)
        probes = [app.probe(sim(tokens=1, interval=0), accept="text/plain") for _ in range(20)]
        assert {(seen.status, seen.ending) for seen in [probe.read_all() for probe in probes]} == {(200, "complete")}
        assert len(simulator.identity_requests()) == before + 1
