"""Faults over real sockets and processes: each fault in two formats, each format with two faults.

The whole matrix is in `tests/test_faults.py`, in-process. Each row here states what the client must see, what each backend
must have seen, and how long it may take. Faults that take their time are in `test_fault_deadlines`.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from tests.app_process import App
from tests.signed_ids import signed_id
from tests.worker.matrix import FINISHED, GOOD, LIMIT, NAMES, REFUSED, USUAL_WAYS, model, rows, run, start
from tests.worker.sim import sim
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

# Name, the faulty backend's behaviour, and the status and code that the caller gets when nobody else serves.
BEFORE_CONTENT: dict[str, tuple[dict[str, Any], int, str]] = {
    "408": ({"status": 408}, 408, ""),
    "409": ({"status": 409}, 409, ""),
    "429": ({"status": 429}, 429, ""),
    "500": ({"status": 500}, 500, ""),
    "502": ({"status": 502, "error": {"message": "bad", "code": "bad_gateway"}}, 502, "bad_gateway"),
    "503": ({"status": 503}, 503, ""),
    "504": ({"status": 504}, 504, ""),
    "401": ({"status": 401}, 502, "upstream_identity_refused"),
    "403": ({"status": 403}, 502, "upstream_identity_refused"),
    "reset before the head": ({"end": "reset", "after": -1}, 502, "upstream_unreachable"),
    "closed before the head": ({"end": "eof", "after": -1}, 502, "upstream_unreachable"),
    "refused connection": ({"refuse_connection": True}, 502, "upstream_unreachable"),
}
# The same, for streams only: the 200 has come, the content has not.
BEFORE_CONTENT_IN_STREAM: dict[str, tuple[dict[str, Any], int, str]] = {
    "reset": ({"end": "reset", "after": 0}, 502, "upstream_cut"),
    "cut": ({"end": "cut", "after": 0}, 502, "upstream_cut"),
    "clean end": ({"end": "eof", "after": 0}, 502, "upstream_cut"),
    "malformed": ({"end": "malformed", "after": 0}, 502, "upstream_malformed"),
    "huge frame": ({"end": "huge_frame", "after": 0, "huge_bytes": 3 * LIMIT}, 502, "upstream_frame_too_large"),
    "error event": ({"in_stream_error": {"order": "error_only"}}, 429, "rate_limit_exceeded"),
    "error event and [DONE]": ({"in_stream_error": {"order": "error_only", "done": True}}, 429, "rate_limit_exceeded"),
    "error event about us": (
        {"in_stream_error": {"order": "error_only", "code": "401", "type": None}},
        502,
        "401",
    ),
}
AFTER_CONTENT: dict[str, tuple[dict[str, Any], str]] = {
    "reset": ({"end": "reset", "after": 2}, "upstream_cut"),
    "cut": ({"end": "cut", "after": 2}, "upstream_cut"),
    "clean end": ({"end": "eof", "after": 2}, "upstream_cut"),
    "malformed": ({"end": "malformed", "after": 2}, "upstream_malformed"),
    "huge frame": ({"end": "huge_frame", "after": 2, "huge_bytes": 3 * LIMIT}, "upstream_frame_too_large"),
    "error event": ({"in_stream_error": {"at": 2, "code": "server_error", "order": "error_only"}}, "server_error"),
}
RESPONSES_ERRORS = [
    {"shape": shape, "order": order}
    for shape in ("nested", "flat")
    for order in ("failed_first", "error_first", "error_only", "failed_only")
]


@pytest.fixture(scope="module")
def faced(simulator_process: Simulator) -> Iterator[App]:
    """The app before three backends, which may also be one or two: that is for its models to say."""
    with start(simulator_process) as app:
        yield app


def asked_alone(name: str) -> tuple[int, ...]:
    """How often the only backend is asked: again where the connection failed before anything was said.

    Again with another token after the first 401 in a minute, too; tests/upstream/test_client.py counts those.
    """
    if name == "401":
        return (1, 2)
    return (2,) if "before the head" in name else (0,) if name == "refused connection" else (1,)


@pytest.mark.parametrize(("name", "way"), rows(BEFORE_CONTENT, WAYS))
def test_a_failure_before_content_is_a_status_or_moves_on(
    faced: App, simulator: Simulator, name: str, way: str
) -> None:
    fault, status, code = BEFORE_CONTENT[name]
    outcome, asked, _ = run(faced, simulator, WAYS[way], 1, main=fault)
    assert (outcome.kind, outcome.status) == (REFUSED, status)
    assert not code or outcome.code == code
    assert asked.get("main", 0) in asked_alone(name)
    outcome, asked, seen = run(faced, simulator, WAYS[way], 2, main=fault, second=GOOD)
    assert (outcome, asked["second"]) == (FINISHED, 1)
    assert (seen.headers["x-backend"], seen.headers["x-attempts"]) == ("second", "2")


@pytest.mark.parametrize(("name", "way"), rows(BEFORE_CONTENT_IN_STREAM, [*STREAMS, *COLLECTED]))
def test_a_stream_that_breaks_before_content_is_a_status_or_moves_on_and_leaves_no_trace(
    faced: App, simulator: Simulator, name: str, way: str
) -> None:
    fault, status, code = BEFORE_CONTENT_IN_STREAM[name]
    outcome, asked, _ = run(faced, simulator, WAYS[way], 1, main=fault)
    assert (outcome.kind, outcome.status, outcome.code, asked) == (REFUSED, status, code, {"main": 1})
    outcome, asked, seen = run(faced, simulator, WAYS[way], 3, main=fault, second=fault, third=GOOD)
    assert (outcome, asked) == (FINISHED, dict.fromkeys(NAMES, 1))
    assert seen.body.count(b'"type":"started"') <= 1
    assert seen.body.count(b"response.created") <= 2  # its event line and its data


@pytest.mark.parametrize(("name", "way"), rows(AFTER_CONTENT, [*STREAMS, *COLLECTED]))
def test_after_content_a_failure_is_an_honest_end_and_nobody_else_is_asked(
    faced: App, simulator: Simulator, name: str, way: str
) -> None:
    fault, code = AFTER_CONTENT[name]
    fault = {"tokens": ["Hello", " you", " and", " me"], "interval": 0, **fault}
    outcome, asked, _ = run(faced, simulator, WAYS[way], 2, main=fault, second=GOOD)
    if way in COLLECTED:
        assert (outcome.kind, outcome.code) == (REFUSED, code)
    else:
        assert outcome == WAYS[way].broken(code, "Hello you")
    assert asked == {"main": 1}


@pytest.mark.parametrize("error", RESPONSES_ERRORS, ids=[f"{e['shape']} {e['order']}" for e in RESPONSES_ERRORS])
def test_a_429_inside_a_200_counts_as_one(faced: App, simulator: Simulator, error: dict[str, Any]) -> None:
    outcome, asked, _ = run(faced, simulator, WAYS["responses"], 2, main={"in_stream_error": error}, second=GOOD)
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})


@pytest.mark.parametrize("way", USUAL_WAYS)
@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_what_is_the_callers_own_moves_nothing(faced: App, simulator: Simulator, way: str, status: int) -> None:
    outcome, asked, _ = run(faced, simulator, WAYS[way], 2, main={"status": status}, second=GOOD)
    assert (outcome.kind, outcome.status, asked) == (REFUSED, status, {"main": 1})


@pytest.mark.parametrize("way", USUAL_WAYS)
def test_the_content_filter_moves_nothing(faced: App, simulator: Simulator, way: str) -> None:
    fault = {"status": 400, "error": "content_filter"}
    outcome, asked, _ = run(faced, simulator, WAYS[way], 2, main=fault, second=GOOD)
    assert (outcome, asked) == (Outcome(REFUSED, "content_filter", 400), {"main": 1})


@pytest.mark.parametrize("way", USUAL_WAYS)
def test_when_all_refuse_the_most_useful_refusal_is_told_with_the_soonest_retry_after(
    faced: App, simulator: Simulator, way: str
) -> None:
    limit: dict[str, Any] = {"status": 429, "headers": {"Retry-After": "40", "retry-after-ms": None}}
    sooner = {"status": 503, "headers": {"retry-after-ms": "7000"}}
    outcome, asked, seen = run(faced, simulator, WAYS[way], 3, main={"status": 401}, second=limit, third=sooner)
    assert outcome.status == 429
    assert asked.pop("main") in asked_alone("401")
    assert asked == {"second": 1, "third": 1}
    assert (seen.headers["retry-after"], seen.headers["retry-after-ms"]) == ("7", "7000")


def test_a_missing_role_is_logged_as_an_error_that_names_it(faced: App, simulator: Simulator) -> None:
    outcome, _, seen = run(faced, simulator, WAYS["openai chat"], 1, main={"status": 403})
    assert outcome == Outcome(REFUSED, "upstream_identity_refused", 502)
    assert "managed identity the role Cognitive Services OpenAI User" in seen.json["error"]["message"]
    assert faced.has_logged("needs the role Cognitive Services OpenAI User")
    line = next(line for line in faced.log.splitlines() if "needs the role Cognitive Services OpenAI User" in line)
    assert line.startswith("ERROR ")


def test_a_cooled_backend_is_left_alone_while_another_serves(faced: App, simulator: Simulator) -> None:
    way, asked = WAYS["openai chat"], model(2)
    simulator.behave(main={"status": 429, "headers": {"retry-after-ms": "60000"}, "repeat": True}, second=GOOD)
    for _ in range(5):
        assert way.ask(faced, asked)[1] == FINISHED
    assert Counter(record["backend"] for record in simulator.requests()) == {"main": 1, "second": 5}


def test_a_lone_backend_is_asked_once_more_where_its_retry_after_fits(faced: App, simulator: Simulator) -> None:
    way, asked = WAYS["chat sse"], model(1)
    simulator.behave(main=[{"status": 429, "headers": {"retry-after-ms": "300"}}, GOOD])
    assert way.ask(faced, asked)[1] == FINISHED
    assert len(simulator.requests()) == 2


def test_a_stored_response_lives_its_whole_life_where_it_was_made(faced: App, simulator: Simulator) -> None:
    client = openai.OpenAI(base_url=f"{faced.url}/v1", api_key="any", max_retries=0)
    asked = model(2)
    simulator.behave(main={"status": 503})
    prompt = sim(tokens=400, interval=0.02)
    with client.responses.create(model=asked, input=prompt, background=True, store=True, stream=True) as stream:
        response_id = next(event.response.id for event in stream if event.type == "response.created")
        assert client.responses.retrieve(response_id).status in ("queued", "in_progress")
        assert [item.type for item in client.responses.input_items.list(response_id)] == ["message"]
        with client.responses.retrieve(response_id, stream=True, starting_after=0) as resumed:
            assert next(iter(resumed)).type != "response.created"
        assert client.responses.cancel(response_id).status == "cancelled"
    client.responses.create(model=asked, input=sim(tokens=1), previous_response_id=response_id)
    client.responses.delete(response_id)
    first, *others = [record["backend"] for record in simulator.requests()]
    # Seven calls; the app may also ask there for the stream that the cancellation has ended.
    assert (first, {*others}, len(others) >= 7) == ("main", {"second"}, True)


def test_the_owners_failure_is_the_answer_and_no_other_account_is_asked(faced: App, simulator: Simulator) -> None:
    address = f"{faced.url}/v1/responses/{signed_id('resp_nowhere', backend='second')}"
    assert ask(address).json["error"]["code"] == "response_not_found"
    simulator.behave(second={"on": "retrieval", "status": 503})
    assert ask(address).status == 503
    assert {record["backend"] for record in simulator.requests()} == {"second"}
