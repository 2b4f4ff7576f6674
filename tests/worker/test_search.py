"""A search that fails, over real sockets: to the real search client, on the worker, in an event format and in one JSON.

The whole matrix, format by format, is in `tests/chat/test_grounding.py`, in-process.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Seen
from tests.app_process import App
from tests.remains import wait_until_nothing_is_open

QUESTION = "How do streams end?"
FAULTS: dict[str, dict[str, Any]] = {
    "refuses": {"status": 503, "times": 5},
    "lacks the role": {"status": 403, "times": 5},
    "hangs": {"never_answer": True, "times": 5},
    "breaks off": {"end": "cut", "times": 5},
    "says no JSON": {"body": "<html>", "times": 5},
}


@pytest.fixture(scope="module")
def lenient(simulator_process: Simulator) -> Iterator[App]:
    with App.start(simulator_process, SEARCH_SECONDS="1", **simulator_process.search_environment) as app:
        yield app


@pytest.fixture(scope="module")
def strict(simulator_process: Simulator) -> Iterator[App]:
    settings = {**simulator_process.search_environment, "SEARCH_REQUIRED": "true", "SEARCH_SECONDS": "1"}
    with App.start(simulator_process, **settings) as app:
        yield app


def events(seen: Seen) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in seen.body.split(b"\n") if line]
    return [event for event in found if event["type"] != "heartbeat"]


def in_both_formats(app: App) -> tuple[Seen, Seen]:
    """Return a stream and an answer in one piece, asked for at once."""
    with app.probe(QUESTION, "/chat?format=ndjson") as stream, app.probe(QUESTION, "/chat?format=json") as whole:
        return stream.read_all(), whole.read_all()


def test_an_answer_comes_with_its_steps_and_sources(lenient: App, simulator: Simulator) -> None:
    found = events(lenient.chat(QUESTION, "/chat?format=ndjson"))
    assert [event["type"] for event in found][:3] == ["step", "step", "step"]
    assert {"source", "delta"} <= {event["type"] for event in found}
    assert found[-1]["type"] == "finished"
    whole = lenient.chat(QUESTION, "/chat?format=json").json
    assert whole["sources"]
    assert whole["text"]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_search_that_fails_leaves_an_answer_without_sources(lenient: App, simulator: Simulator, fault: str) -> None:
    simulator.behave_search(FAULTS[fault])
    streamed, whole = in_both_formats(lenient)
    found = events(streamed)
    assert {"type": "step", "name": "search", "status": "failed"}.items() <= found[3].items()
    assert "source" not in {event["type"] for event in found}
    assert found[-1]["type"] == "finished"
    assert whole.json.get("sources", []) == []
    assert wait_until_nothing_is_open(simulator, 2.0) == 0, "a search is still open"


@pytest.mark.parametrize("fault", FAULTS)
def test_a_required_search_that_fails_is_an_error_and_no_model_is_asked(
    strict: App, simulator: Simulator, fault: str
) -> None:
    simulator.behave_search(FAULTS[fault])
    streamed, refused = in_both_formats(strict)
    last = events(streamed)[-1]
    assert (last["type"], last["error"]["code"]) == ("failed", "search_unavailable")
    assert (refused.status, refused.json["error"]["code"]) == (502, "search_unavailable")
    assert not [one for one in simulator.requests() if one["path"].endswith("/chat/completions")]


def test_a_search_that_is_not_there_fails_like_any_other(lenient: App, simulator: Simulator) -> None:
    simulator.close_search()
    assert events(lenient.chat(QUESTION, "/chat?format=ndjson"))[-1]["type"] == "finished"


def test_who_leaves_while_the_search_goes_on_stops_it_and_asks_no_model(strict: App, simulator: Simulator) -> None:
    simulator.behave_search({"never_answer": True, "times": 5})
    with strict.probe(QUESTION, "/chat?format=ndjson") as probe:
        probe.read_until(b'"search","status":"started"')
        simulator.wait_for(ended="open")
    simulator.wait_for(ended="client_gone", timeout=1.5)
    assert not [one for one in simulator.requests() if one["path"].endswith("/chat/completions")]
