"""Faults that take their time over real sockets: before the commit, after it, and after the first content.

The whole matrix, with the product's own deadlines, is in `tests/test_fault_deadlines.py`, in-process.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.platforms import only_on_linux
from tests.worker.matrix import FINISHED, GOOD, REFUSED, run, start
from tests.worker.ways import COLLECTED, STREAMS, WAYS

SILENCE: dict[str, dict[str, Any]] = {
    "never answers": {"never_answer": True},
    "stays silent": {"end": "stall", "after": 0},
    "takes no connection": {"drop_connection": 3},
}


def marks(name: str) -> list[pytest.MarkDecorator]:
    return [only_on_linux("a full backlog drops connections")] if "connection" in name else []


@pytest.fixture(scope="module")
def patient(simulator_process: Simulator) -> Iterator[App]:
    """The app before one backend or two; it commits long after an attempt's patience ends."""
    with start(simulator_process, FIRST_CONTENT_SECONDS="0.7", COMMIT_SECONDS="4") as app:
        yield app


@pytest.mark.parametrize("name", [pytest.param(name, marks=marks(name)) for name in SILENCE])
def test_a_backend_that_does_not_begin_in_time_is_left(patient: App, simulator: Simulator, name: str) -> None:
    fault = SILENCE[name]
    asks = 0 if "drop_connection" in fault else 1
    outcome, asked, _ = run(patient, simulator, WAYS["chat sse"], 1, main=fault)
    assert (outcome.kind, outcome.status, outcome.code) == (REFUSED, 504, "upstream_timeout")
    assert asked.get("main", 0) == asks
    outcome, asked, _ = run(patient, simulator, WAYS["openai chat"], 2, main=fault, second=GOOD)
    assert (outcome, asked.get("main", 0), asked["second"]) == (FINISHED, asks, 1)


# While nothing has been said the client has heard heartbeats; then this happens. What it is called when nobody else serves.
AFTER_THE_COMMIT: dict[str, tuple[dict[str, Any], str]] = {
    "429": ({"status": 429, "header_delay": 0.3}, "rate_limit_exceeded"),
    "403": ({"status": 403, "header_delay": 0.3}, "upstream_identity_refused"),
    "closed before the head": ({"end": "eof", "after": -1, "header_delay": 0.3}, "upstream_unreachable"),
    "reset": ({"end": "reset", "after": 0, "start_delay": 0.3}, "upstream_cut"),
    "malformed": ({"end": "malformed", "after": 0, "start_delay": 0.3}, "upstream_malformed"),
    "error event": ({"in_stream_error": {"order": "error_only"}, "start_delay": 0.3}, "rate_limit_exceeded"),
    "silence": ({"end": "stall", "after": 0}, "upstream_timeout"),
    "no head": ({"never_answer": True}, "upstream_timeout"),
    "no connection": ({"drop_connection": 3}, "upstream_timeout"),
}


@pytest.fixture(scope="module")
def hasty(simulator_process: Simulator) -> Iterator[App]:
    """The app before one backend or two; it commits long before an attempt's patience ends."""
    settings = {
        "COMMIT_SECONDS": "0.1",
        "HEARTBEAT_SECONDS": "0.1",
        "FIRST_CONTENT_SECONDS": "0.7",
        "UPSTREAM_SILENCE_SECONDS": "1",
    }
    with start(simulator_process, **settings) as app:
        yield app


ROWS = [
    *(pytest.param(name, "chat sse", marks=marks(name)) for name in AFTER_THE_COMMIT),
    *(("429", way) for way in [*STREAMS, *COLLECTED] if way != "chat sse"),
]


@pytest.mark.parametrize(("name", "way"), ROWS)
def test_after_the_commit_and_before_content_the_answer_moves_on_or_ends_honestly(
    hasty: App, simulator: Simulator, name: str, way: str
) -> None:
    fault, code = AFTER_THE_COMMIT[name]
    outcome, asked, seen = run(hasty, simulator, WAYS[way], 1, main=fault)
    assert asked.get("main", 0) == (0 if "drop_connection" in fault else 1)
    assert seen.body.startswith(WAYS[way].heartbeat)
    if WAYS[way].heartbeat:
        assert outcome == WAYS[way].broken(code)
    else:  # without a heartbeat there is nothing to commit for
        assert (outcome.kind, outcome.code) == (REFUSED, code)
    outcome, asked, seen = run(hasty, simulator, WAYS[way], 2, main=fault, second=GOOD)
    assert (outcome, asked["second"]) == (FINISHED, 1)
    assert seen.body.startswith(WAYS[way].heartbeat)


@pytest.mark.parametrize("way", ["chat text", "openai chat"])
def test_silence_after_content_ends_honestly(hasty: App, simulator: Simulator, way: str) -> None:
    fault = {"tokens": ["Hello", " you"], "interval": 0, "end": "stall", "after": 2}
    outcome, asked, _ = run(hasty, simulator, WAYS[way], 2, main=fault, second=GOOD)
    assert (outcome, asked) == (WAYS[way].broken("upstream_silent", "Hello you"), {"main": 1})
