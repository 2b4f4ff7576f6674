"""The chat API on the real worker."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from tests.app_process import App
from tests.worker.samples import RAW, lines, protocol, use_chat

THREE = {"tokens": ["Grüße", ", ", "Welt 😀"], "interval": 0}


def sim(**behaviour: Any) -> str:
    return f"hi [[sim {json.dumps(behaviour)}]]"


def types(body: bytes) -> list[str]:
    return re.findall(r"^event: (\w+)$", body.decode(), re.MULTILINE)


def test_the_events_of_an_answer_arrive_in_order(app: App) -> None:
    seen = app.chat(sim(**THREE))
    assert (seen.status, seen.ending) == (200, "complete")
    assert [event["type"] for event in seen.events] == ["started", "delta", "delta", "delta", "usage", "finished"]
    assert "".join(event["text"] for event in seen.events if event["type"] == "delta") == "Grüße, Welt 😀"
    assert types(seen.body) == [event["type"] for event in seen.events]
    assert seen.events[-1] == {"type": "finished", "finish_reason": "stop"}
    assert seen.events[-2]["output_tokens"] == 3


def test_a_stream_says_that_it_must_not_be_buffered_or_cached(app: App) -> None:
    headers = app.chat(sim(**THREE)).headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-request-id"].startswith("req_")


def test_stream_false_gives_the_whole_answer_whatever_is_accepted(app: App) -> None:
    for accept in ("text/html", "text/event-stream", "text/plain"):
        seen = app.chat({"input": sim(**THREE), "stream": False}, accept=accept)
        assert (seen.status, seen.json["text"]) == (200, "Grüße, Welt 😀")
    assert app.chat(sim(**THREE), accept="text/html").status == 406
    assert app.chat(sim(**THREE), "/stream", accept="text/html").status == 406


def test_deltas_arrive_one_by_one(app: App) -> None:
    with app.probe(sim(tokens=["one", "two", "three"], interval=0.4)) as probe:
        at = []
        for word in (b"one", b"two", b"three", b"finished"):
            probe.read_until(word)
            at.append(time.monotonic())
    assert at[1] - at[0] > 0.2
    assert at[2] - at[1] > 0.2


def test_the_call_is_keyless(app: App, simulator: Simulator) -> None:
    app.chat(sim(**THREE))
    (request,) = simulator.requests()
    assert request["headers"]["authorization"].startswith("Bearer ")
    assert "api-key" not in request["headers"]
    assert request["path"] == "/openai/v1/chat/completions"


USAGE = '{"type":"usage","input_tokens":1,"output_tokens":2,"cached_tokens":0,"reasoning_tokens":0}'
EVENTS = ['{"type":"started","id":"c1","model":"m"}', '{"type":"delta","text":"Grüße"}', USAGE,
          '{"type":"finished","finish_reason":"length"}']  # fmt: skip
SSE = "".join(f"event: {json.loads(event)['type']}\ndata: {event}\n\n" for event in EVENTS)
LINES = "".join(event + "\n" for event in EVENTS)
WHOLE = (
    '{"id":"c1","model":"m","text":"Grüße","finish_reason":"length","usage":'
    + USAGE.replace('"type":"usage",', "")
    + "}"
)
FORMATS = [
    ("text/event-stream", "text/event-stream; charset=utf-8", SSE),
    ("application/x-ndjson", "application/x-ndjson", LINES),
    ("application/jsonl", "application/jsonl", LINES),
    ("text/plain", "text/plain; charset=utf-8", "Grüße"),
    ("application/json", "application/json", WHOLE),
]


@pytest.mark.parametrize(("accept", "content_type", "body"), FORMATS)
def test_each_format_has_its_bytes(app: App, simulator: Simulator, accept: str, content_type: str, body: str) -> None:
    simulator.behave({"raw": RAW})
    seen = app.chat("hi", accept=accept)
    assert (seen.status, seen.headers["content-type"], seen.body.decode()) == (200, content_type, body)


def test_the_query_names_a_format_too(app: App) -> None:
    assert app.chat(sim(**THREE), "/chat?format=text").body.decode() == "Grüße, Welt 😀"


def test_stream_false_gives_the_whole_answer_and_stream_addresses_always_stream(app: App) -> None:
    assert (
        app.chat({"input": sim(**THREE), "stream": False}, accept="text/event-stream").json["text"] == "Grüße, Welt 😀"
    )
    for path in ("/stream", "/chat/stream"):
        assert app.chat(sim(**THREE), path).events[-1]["type"] == "finished"
        assert app.chat({"input": "hi", "stream": False}, path).status == 400
        assert app.chat("hi", path, accept="application/json").status == 406


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "invalid_json"),
        (b'{"input": "\xff"}', {}, 400, "invalid_json"),
        (b'{"input": ' + b"[" * 50_000, {}, 400, "invalid_json"),
        ({"input": ""}, {}, 400, "invalid_request"),
        ({"input": "hi", "max_tokens": 1}, {}, 400, "invalid_request"),
        ({"input": "hi"}, {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        ({"input": "hi"}, {"accept": "image/png"}, 406, "not_acceptable"),
    ],
)
def test_bad_input_gets_a_clear_4xx_and_nothing_else_happens(
    app: App, simulator: Simulator, body: Any, headers: dict[str, str], status: int, code: str
) -> None:
    seen = app.chat(body, **headers)
    assert (seen.status, seen.json["error"]["code"], seen.json["error"]["type"]) == (
        status,
        code,
        "invalid_request_error",
    )
    assert seen.headers["x-request-id"]
    assert simulator.requests() == []


@pytest.fixture(scope="module")
def reduced(simulator_process: Simulator) -> Iterator[App]:
    """The app with small bodies and without streams."""
    with App.start(simulator_process, MAX_REQUEST_BYTES="2000", STREAMING_ENABLED="false") as app:
        yield app


def test_a_body_beyond_the_limit_is_a_413(reduced: App, simulator: Simulator) -> None:
    seen = reduced.chat("x" * 2000)
    assert (seen.status, seen.json["error"]["code"]) == (413, "request_too_large")
    assert simulator.requests() == []


def test_a_lone_surrogate_goes_through_unharmed(app: App, simulator: Simulator) -> None:
    simulator.behave({"tokens": 3, "interval": 0, "surrogate": True})
    seen = app.chat(b'{"input": "a\\ud800b"}')
    assert seen.events[-1]["type"] == "finished"
    assert "\ufffd" in "".join(event.get("text", "") for event in seen.events)
    assert json.loads(simulator.requests()[0]["body"])["messages"][0]["content"] == "a\ufffdb"


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_the_finish_reason_is_what_the_upstream_said(app: App, reason: str) -> None:
    assert app.chat(sim(tokens=2, interval=0, finish_reason=reason)).events[-1]["finish_reason"] == reason


def test_a_blocked_prompt_is_the_callers_400(app: App) -> None:
    seen = app.chat(sim(status=400, error="content_filter"))
    assert (seen.status, seen.json["error"]["code"]) == (400, "content_filter")


def test_a_429_before_the_first_content_is_a_429_with_its_retry_after(app: App) -> None:
    seen = app.chat(sim(status=429, headers={"Retry-After": "30", "retry-after-ms": None}))
    assert (seen.status, seen.headers["retry-after"], seen.json["error"]["type"]) == (429, "30", "rate_limit_error")


@pytest.mark.parametrize("cut_bytes", [1, 7])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_bytes_cut_inside_characters_and_line_ends_change_nothing(app: App, cut_bytes: int, line_end: str) -> None:
    seen = app.chat(sim(**THREE, cut_bytes=cut_bytes, line_end=line_end), accept="text/plain")
    assert (seen.body.decode(), seen.ending) == ("Grüße, Welt 😀", "complete")


def test_every_oddity_of_the_service_is_survived(app: App) -> None:
    odd = ["missing_delta", "null_delta", "null_content", "empty_choices", "unknown_event", "unknown_field"]
    seen = app.chat(
        sim(**THREE, odd=odd, empty_before=3, null_fields=True, no_id=True, comments=1), accept="text/plain"
    )
    assert (seen.body.decode(), seen.ending) == ("Grüße, Welt 😀", "complete")


def test_many_frames_in_one_write_all_arrive(app: App) -> None:
    seen = app.chat(sim(tokens=["x"] * 300, interval=0, burst=0))
    assert sum(event["type"] == "delta" for event in seen.events) == 300


def test_options_reach_the_upstream(app: App, simulator: Simulator) -> None:
    app.chat({"input": "hi", "model": "other", "temperature": 0.5, "max_output_tokens": 5, "stop": "END", "seed": 7})
    sent = json.loads(simulator.requests()[0]["body"])
    assert {name: sent[name] for name in ("model", "temperature", "max_completion_tokens", "stop", "seed")} == {
        "model": "other", "temperature": 0.5, "max_completion_tokens": 5, "stop": ["END"], "seed": 7,
    }  # fmt: skip


def test_fifty_streams_at_once_all_finish_correctly(app: App) -> None:
    words = [f"stream{number}word" for number in range(50)]
    probes = [app.probe(sim(tokens=[word] * 10, interval=0.02), accept="text/plain") for word in words]
    for word, probe in zip(words, probes, strict=True):
        with probe:
            seen = probe.read_all()
            assert (seen.body.decode(), seen.ending) == (word * 10, "complete")


def test_where_streaming_is_off_every_request_is_answered_whole(reduced: App, simulator: Simulator) -> None:
    simulator.behave({**THREE, "repeat": True})
    for path in ("/chat", "/stream", "/chat/stream"):
        seen = reduced.chat("hi", path, accept="text/event-stream")
        assert (seen.headers["content-type"], seen.json["text"]) == ("application/json", "Grüße, Welt 😀")


def test_where_streaming_is_off_the_formats_of_ui_kits_leave_in_one_piece(reduced: App, simulator: Simulator) -> None:
    two: dict[str, Any] = {"tokens": ["one ", "two"], "interval": 0}
    seen = reduced.chat(use_chat(sim(**two)))
    assert (len(seen.chunks), seen.data[-1]) == (1, "[DONE]")
    seen = reduced.chat(protocol(sim(**two), sessionState=1), "/chat/stream", accept="application/json")
    assert (len(seen.chunks), lines(seen.body)[0]["sessionState"]) == (1, 1)
    for path, body in (("/chat", use_chat), ("/chat/stream", protocol)):
        cut = sim(tokens=4, interval=0, end="cut", after=2)
        broken = reduced.chat(body(cut), path, accept="application/json")
        assert broken.json["error"]["code"] == "upstream_cut"
        assert broken.status == 502


def test_health_is_open_and_says_nothing_about_the_inside(app: App) -> None:
    seen = ask(app.url + "/health")
    assert (seen.status, seen.json) == (200, {"status": "ok"})


def test_the_home_page_shows_how_to_ask_at_the_address_that_the_client_sees(app: App) -> None:
    seen = ask(app.url + "/")
    assert seen.status == 200
    assert app.url in seen.body.decode() or seen.headers["content-type"].startswith("text/html")
