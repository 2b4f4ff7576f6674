"""The formats of UI kits on the real worker; their own published clients are in tests/node."""

from typing import Any

import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.worker.samples import lines, protocol, use_chat
from tests.worker.sim import ended, sim

TWO: dict[str, Any] = {"tokens": ["one ", "two"], "interval": 0}
PROTOCOL_CALL = {"accept": "application/json"}


@pytest.mark.parametrize("path", ["/chat", "/stream", "/chat/stream"])
def test_use_chat_s_request_is_answered_in_its_own_format(app: App, path: str) -> None:
    seen = app.chat(use_chat(sim(**TWO)), path)
    assert (seen.status, seen.ending) == (200, "complete")
    assert seen.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert seen.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert [event["type"] for event in seen.events] == [
        "start", "start-step", "text-start", "text-delta", "text-delta", "text-end", "finish-step", "finish",
    ]  # fmt: skip
    assert seen.data[-1] == "[DONE]"


def test_our_own_request_can_ask_for_the_same_format(app: App) -> None:
    assert app.chat(sim(**TWO), "/chat?format=ui-message").data[-1] == "[DONE]"


def test_a_failed_answer_is_neither_finished_nor_done(app: App) -> None:
    seen = app.chat(use_chat(sim(tokens=4, interval=0, end="cut", after=2)))
    assert seen.events[-1]["type"] == "error"
    assert seen.data[-1] != "[DONE]"
    assert "finish" not in {event["type"] for event in seen.events}


def test_a_refusal_is_a_status_whatever_the_shape(app: App) -> None:
    for body in (use_chat(sim(status=400)), protocol(sim(status=400), sessionState=1)):
        seen = app.chat(body)
        assert (seen.status, seen.headers["content-type"]) == (400, "application/json")
        assert seen.json["error"]["message"]


def test_leaving_stops_the_upstream(app: App, simulator: Simulator) -> None:
    for body in (
        use_chat(sim(tokens=500, interval=0.05)),
        protocol(sim(tokens=500, interval=0.05), stream=True, sessionState=1),
    ):
        simulator.reset()
        with app.probe(body) as probe:
            probe.read_until(b"delta")
        ended(simulator, "client_gone")


def test_the_ai_chat_protocol_answers_by_its_addresses(app: App) -> None:
    carried = {"context": {"a": [1]}, "sessionState": "s"}
    whole = app.chat(protocol(sim(**TWO), **carried), **PROTOCOL_CALL)
    assert whole.headers["content-type"] == "application/json"
    assert whole.json["message"]["content"] == "one two"
    assert whole.json.items() >= carried.items()
    streamed = app.chat(protocol(sim(**TWO), **carried), "/chat/stream", **PROTOCOL_CALL)
    assert streamed.headers["content-type"] == "application/jsonl"
    first, *others = lines(streamed.body)
    assert first == {"delta": {"role": "assistant"}, **carried}
    assert "".join(line["delta"].get("content", "") for line in others) == "one two"


def test_the_protocol_s_heartbeat_is_an_empty_line(app: App) -> None:
    seen = app.chat(protocol(sim(start_delay=2, **TWO)), "/chat/stream", **PROTOCOL_CALL)
    assert seen.body.startswith(b"\n")
    assert lines(seen.body)[0] == {"delta": {"role": "assistant"}}


def test_a_protocol_stream_that_breaks_off_ends_in_an_error_line(app: App) -> None:
    seen = app.chat(protocol(sim(tokens=4, interval=0, end="cut", after=2)), "/chat/stream", **PROTOCOL_CALL)
    assert lines(seen.body)[-1]["error"]["code"] == "upstream_cut"
    assert seen.ending == "complete"


def test_an_unknown_field_is_refused_in_every_shape(app: App, simulator: Simulator) -> None:
    for body in (use_chat("hi", max_tokens=1), protocol("hi", sessionstate=1), protocol("hi", id="x")):
        seen = app.chat(body)
        assert (seen.status, seen.json["error"]["code"]) == (400, "invalid_request")
        assert "Unknown field" in seen.json["error"]["message"]
    assert simulator.requests() == []
