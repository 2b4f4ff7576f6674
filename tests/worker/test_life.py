"""The life of a stream on the real worker: commit, heartbeats, receipts, bounds, and how it ends with its process."""

import base64
import re
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Seen
from tests.app_process import App
from tests.platforms import only_on_linux
from tests.worker.loaded import has_loaded_the_exporter
from tests.worker.samples import RAW
from tests.worker.sim import ended, sim
from tests.worker.ways import WAYS, Outcome

HEARTBEATS = {name: way.heartbeat for name, way in WAYS.items() if way.heartbeat}


FIRST, BETWEEN = 2.2, 1.4
"""After so many seconds the first word comes, and the second so long after it."""


@pytest.fixture(scope="module")
def waited(app_process: App, simulator_process: Simulator) -> dict[str, tuple[Seen, Outcome]]:
    """What became of all answers here that let their client wait; they were asked at once."""
    simulator_process.reset()
    late = sim(tokens=["Hello", " you"], interval=BETWEEN, start_delay=FIRST - BETWEEN)
    asked = {way: (way, late) for way in HEARTBEATS} | {
        "plain text that fails": ("chat text", sim(start_delay=1.5, end="reset", after=0)),
        "keepalives": ("responses", sim(tokens=["Hello", " you"], interval=2.5, keepalive=0.4)),
        "silence": ("chat sse", sim(tokens=3, interval=0, end="stall", after=1)),
    }
    probes = {name: WAYS[way].begin(app_process, "gpt", prompt) for name, (way, prompt) in asked.items()}
    seen = {name: probe.read_all() for name, probe in probes.items()}
    for probe in probes.values():
        probe.close()
    return {name: (one, WAYS[asked[name][0]].outcome(one)) for name, one in seen.items()}


def heartbeats(way: str, received: bytes) -> int:
    """Return how many there are; where a heartbeat is an empty line, the end of another line is none."""
    if HEARTBEATS[way] == b"\n":
        return received.split(b"\n")[:-1].count(b"")
    return received.count(HEARTBEATS[way])


type Waited = dict[str, tuple[Seen, Outcome]]


@pytest.mark.parametrize("way", HEARTBEATS)
def test_from_the_commit_deadline_on_silence_carries_heartbeats(waited: Waited, way: str) -> None:
    seen, outcome = waited[way]
    assert outcome == Outcome("finished", words="Hello you")
    before, _, _ = seen.body.partition(b"Hello")
    assert heartbeats(way, before) >= 2
    assert before.startswith(HEARTBEATS[way])


@pytest.mark.parametrize("way", HEARTBEATS)
def test_silence_between_deltas_carries_heartbeats(waited: Waited, way: str) -> None:
    seen, _ = waited[way]
    between = seen.body.partition(b"Hello")[2].partition(b" you")[0]
    assert heartbeats(way, between) >= 1


def test_a_heartbeat_on_an_openai_stream_is_a_block_of_its_own_without_id_and_retry(waited: Waited) -> None:
    seen, _ = waited["openai chat"]
    assert seen.body.startswith(b": heartbeat\n\n")
    assert not re.search(rb"^(id|retry):", seen.body, re.MULTILINE)


def test_plain_text_has_no_heartbeat_and_keeps_its_status_until_the_first_word(waited: Waited) -> None:
    seen, outcome = waited["plain text that fails"]
    assert (outcome.kind, seen.status) == ("refused", 502)


def test_the_upstreams_own_keepalives_pass_and_count_as_life(waited: Waited) -> None:
    seen, outcome = waited["keepalives"]
    assert outcome == Outcome("finished", words="Hello you")
    assert sum(event["type"] == "keepalive" for event in seen.events) >= 3
    numbers = [event["sequence_number"] for event in seen.events]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("way", ["chat sse", "openai chat", "responses"])
def test_a_receipt_tells_the_time_to_the_first_token_also_after_heartbeats(app: App, waited: Waited, way: str) -> None:
    seen, _ = waited[way]
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert FIRST - 0.1 < receipt["time_to_first_token_seconds"] <= receipt["duration_seconds"]


def test_a_receipt_tells_of_an_upstream_that_fell_silent(app: App, waited: Waited) -> None:
    seen, _ = waited["silence"]
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert (receipt["ended"], receipt["tokens"]) == ("upstream_silent", "unknown")


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


def test_the_id_that_a_relayed_answer_shows_is_the_receipts(app: App) -> None:
    seen, _ = WAYS["openai chat"].ask(app, "gpt", sim(tokens=2, interval=0))
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert (receipt["api"], receipt["ended"], receipt["tokens"]["output"]) == ("openai", "finished", 2)


@pytest.mark.parametrize(
    ("behaviour", "how"),
    [
        ({"status": 429, "headers": {"retry-after-ms": "9000"}}, "rate_limit_exceeded"),
        ({"tokens": 3, "interval": 0, "end": "reset", "after": 1}, "upstream_cut"),
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


@only_on_linux("/proc shows which libraries a process has loaded")
@pytest.mark.usefixtures("waited")
def test_without_a_connection_string_the_exporter_is_not_loaded(app: App) -> None:
    # By now it would be: that begins three seconds after the start, and these answers have taken longer.
    assert not has_loaded_the_exporter(app)
