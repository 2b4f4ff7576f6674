"""The simulated service's bad habits, seen from a bare socket: refusals, faults in a stream, odd frames, cut bytes."""

import base64
import itertools
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import OpenAI

from dev.simulator.control import Simulator
from dev.simulator.probe import Probe, Seen, ask

HELLO = [{"role": "user", "content": "Hello"}]
BODY = {"model": "m", "messages": HELLO, "stream": True}


@pytest.fixture(scope="module")
def process() -> Iterator[Simulator]:
    with Simulator.start(open=True) as simulator:
        yield simulator


@pytest.fixture
def simulator(process: Simulator) -> Simulator:
    process.reset()
    return process


def chat(simulator: Simulator, behaviour: dict[str, Any], **body: Any) -> Seen:
    simulator.behave(behaviour)
    return ask(f"{simulator.base_url()}chat/completions", {**BODY, **body})


def texts(seen: Seen) -> list[str]:
    deltas = [frame["choices"][0].get("delta") or {} for frame in seen.events if frame.get("choices")]
    return [delta["content"] for delta in deltas if delta.get("content")]


# Refusals.


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 503, 504])
def test_a_refusal_is_an_error_in_json(simulator: Simulator, status: int) -> None:
    seen = chat(simulator, {"status": status})
    assert seen.status == status
    assert seen.json["error"]["message"]
    assert simulator.requests()[0]["status"] == status


def test_a_blocked_prompt_is_azures_400(simulator: Simulator) -> None:
    error = chat(simulator, {"status": 400, "error": "content_filter"}).json["error"]
    assert (error["code"], error["innererror"]["code"]) == ("content_filter", "ResponsibleAIPolicyViolation")


def test_a_502_speaks_html(simulator: Simulator) -> None:
    seen = chat(simulator, {"status": 502})
    assert seen.headers["content-type"] == "text/html"
    assert seen.body.startswith(b"<html>")


def test_a_429_says_when_to_come_back_and_headers_can_be_replaced_and_removed(simulator: Simulator) -> None:
    assert chat(simulator, {"status": 429}).headers["retry-after-ms"] == "1000"
    seen = chat(simulator, {"status": 429, "headers": {"Retry-After": "7", "retry-after-ms": None}})
    assert seen.headers["retry-after"] == "7"
    assert "retry-after-ms" not in seen.headers


def test_an_error_body_can_be_dictated(simulator: Simulator) -> None:
    assert chat(simulator, {"status": 400, "error": {"code": "odd"}}).json == {"error": {"code": "odd"}}
    assert chat(simulator, {"status": 400, "error": {"error": "words"}}).json == {"error": "words"}


# Ends.


@pytest.mark.parametrize(("end", "ending"), [("eof", "complete"), ("cut", "cut"), ("reset", "reset")])
@pytest.mark.parametrize("after", [0, 2, None])
def test_a_stream_can_end_too_early(simulator: Simulator, end: str, ending: str, after: int | None) -> None:
    seen = chat(simulator, {"tokens": 5, "end": end, "after": after})
    assert seen.ending == ending
    assert len(texts(seen)) == (5 if after is None else after)
    assert "[DONE]" not in seen.data
    assert not any(frame["choices"] and frame["choices"][0]["finish_reason"] for frame in seen.events)
    assert simulator.wait_for(ended="cut_by_us")["tokens_sent"] == (5 if after is None else after)


@pytest.mark.parametrize("end", ["cut", "reset"])
def test_what_was_sent_can_be_read_before_the_connection_breaks(simulator: Simulator, end: str) -> None:
    began = time.monotonic()
    chat(simulator, {"tokens": 2, "end": end})
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(("end", "ending"), [("eof", "cut"), ("cut", "cut"), ("reset", "reset")])
def test_a_connection_can_end_before_the_head(simulator: Simulator, end: str, ending: str) -> None:
    seen = chat(simulator, {"end": end, "after": -1})
    assert (seen.status, seen.ending) == (0, ending)
    assert simulator.wait_for(ended="cut_by_us")["phase"] == "before_headers"


@pytest.mark.parametrize(("end", "ending"), [("cut", "cut"), ("reset", "reset")])
def test_a_whole_answer_can_be_cut_in_half(simulator: Simulator, end: str, ending: str) -> None:
    assert chat(simulator, {"end": end}, stream=False).ending == ending


def test_a_malformed_frame_hides_among_good_ones(simulator: Simulator) -> None:
    seen = chat(simulator, {"tokens": 4, "end": "malformed", "after": 2})
    bad = [data for data in seen.data if data != "[DONE]" and not _is_json(data)]
    assert len(bad) == 1
    assert seen.data[-1] == "[DONE]"
    simulator.behave({"end": "malformed"})
    with OpenAI(base_url=simulator.base_url(), api_key="x") as client, pytest.raises(json.JSONDecodeError):
        list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True))


def test_a_whole_answer_can_be_malformed(simulator: Simulator) -> None:
    seen = chat(simulator, {"end": "malformed"}, stream=False)
    assert seen.ending == "complete"
    assert not _is_json(seen.body.decode())


def test_a_huge_frame_has_the_size_asked_for(simulator: Simulator) -> None:
    seen = chat(simulator, {"tokens": 2, "end": "huge_frame", "huge_bytes": 1_000_000, "after": 1})
    assert [len(text) for text in texts(seen)][1] == 1_000_000


def test_a_first_piece_can_be_large(simulator: Simulator) -> None:
    assert len(texts(chat(simulator, {"tokens": 3, "event_bytes": 200_000}))[0]) == 200_000


def test_a_stalled_stream_stays_open_until_the_client_leaves(simulator: Simulator) -> None:
    simulator.behave({"tokens": 5, "end": "stall", "after": 2})
    with Probe(f"{simulator.base_url()}chat/completions", BODY) as probe:
        simulator.wait_for(ended="open")
        probe.read_until(b"content_filter_results")
        time.sleep(0.1)
        assert simulator.requests()[0]["ended"] == "open"
    record = simulator.wait_for(ended="client_gone")
    assert (record["tokens_sent"], record["phase"]) == (2, "streaming")


# Errors in a 200 stream.


@pytest.mark.parametrize("shape", ["nested", "flat"])
@pytest.mark.parametrize(("at", "count"), [("before_content", 0), (2, 2), (99, 4)])
def test_an_error_can_come_in_the_middle_of_a_stream(
    simulator: Simulator, shape: str, at: str | int, count: int
) -> None:
    error = {"at": at, "shape": shape, "code": "rate_limit_exceeded", "message": "Slow down."}
    seen = chat(simulator, {"tokens": 4, "in_stream_error": error})
    assert len(texts(seen)) == count
    last = seen.events[-1]
    told = last["error"] if shape == "nested" else last
    assert (told["code"], told["message"]) == ("rate_limit_exceeded", "Slow down.")
    assert "[DONE]" not in seen.data
    assert seen.ending == "complete"


def test_the_real_client_raises_an_in_stream_error(simulator: Simulator) -> None:
    simulator.behave({"in_stream_error": {"message": "Slow down.", "done": True}})
    with (
        OpenAI(base_url=simulator.base_url(), api_key="x") as client,
        pytest.raises(openai.APIError, match="Slow down"),
    ):
        list(client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}], stream=True))


# How it is written.


@pytest.mark.parametrize("size", [1, 3, 7])
def test_bytes_can_be_cut_anywhere(simulator: Simulator, size: int) -> None:
    seen = chat(simulator, {"tokens": ["naïve ", "— ", "🌤️"], "cut_bytes": size, "line_end": "\r\n"})
    assert all(len(chunk) <= size for chunk in seen.chunks)
    assert texts(seen) == ["naïve ", "— ", "🌤️"]
    assert b"\r\n\r\n" in seen.body


def test_random_cuts_are_the_same_for_the_same_seed(simulator: Simulator) -> None:
    def sizes(seed: int) -> list[int]:
        return [len(chunk) for chunk in chat(simulator, {"tokens": 3, "cut_seed": seed}).chunks][:20]

    assert sizes(1) == sizes(1)
    assert sizes(1) != sizes(2)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_lines_can_end_in_every_way_the_specification_allows(simulator: Simulator, line_end: str) -> None:
    seen = chat(simulator, {"tokens": 3, "line_end": line_end})
    assert seen.body.endswith(f"data: [DONE]{line_end}{line_end}".encode())
    assert len(texts(seen)) == 3


def test_frames_can_come_in_bursts_and_all_at_once(simulator: Simulator) -> None:
    one_by_one = chat(simulator, {"tokens": 10})
    in_threes = chat(simulator, {"tokens": 10, "burst": 3})
    at_once = chat(simulator, {"tokens": 10, "burst": 0})
    frames = len(one_by_one.data)
    assert [len(seen.chunks) for seen in (one_by_one, in_threes, at_once)] == [frames, -(-frames // 3), 1]
    assert texts(one_by_one) == texts(in_threes) == texts(at_once)


def test_comments_come_in_between_in_the_form_asked_for(simulator: Simulator) -> None:
    seen = chat(simulator, {"tokens": 4, "comments": 2, "comment": ": ping\n"})
    assert seen.body.count(b": ping\n") == len(seen.data) // 2
    assert len(texts(seen)) == 4


def test_nothing_is_compressed_unless_asked_for(simulator: Simulator) -> None:
    assert "content-encoding" not in chat(simulator, {}).headers
    seen = chat(simulator, {"tokens": ["a", "b"], "gzip": True})
    assert seen.headers["content-encoding"] == "gzip"
    assert b"[DONE]" in zlib.decompress(seen.body, wbits=31)


def test_raw_bytes_arrive_as_they_are(simulator: Simulator) -> None:
    parts = [b"data: {\xff\x00", b"}\r\r", "…".encode()[:2]]
    writes = [[0.02, base64.b64encode(part).decode()] for part in parts]
    headers = {"content-type": "text/plain", "x-own": "yes"}
    seen = chat(simulator, {"raw": writes, "headers": headers, "status": 203, "end": "cut"})
    assert (seen.status, seen.chunks, seen.ending) == (203, tuple(parts), "cut")
    assert seen.headers == {"content-type": "text/plain", "x-own": "yes", "connection": "close"} | _chunked(seen)
    assert chat(simulator, {"raw": base64.b64encode(b"whole").decode()}).body == b"whole"


# Odd frames.


def test_every_oddity_is_sent_and_the_text_is_still_whole(simulator: Simulator) -> None:
    odd = ["missing_delta", "null_delta", "null_content", "empty_choices", "unknown_event", "unknown_field"]
    seen = chat(simulator, {"tokens": ["a", "b", "c"], "odd": odd})
    choices = [frame["choices"][0] for frame in seen.events if frame.get("choices")]
    assert any("delta" not in choice for choice in choices)
    assert any(choice.get("delta", {}) is None for choice in choices)
    assert any((choice.get("delta") or {}).get("content", "") is None for choice in choices)
    assert b"event: sparkle\n" in seen.body
    assert any("sparkle" in frame and frame.get("choices") for frame in seen.events)
    assert texts(seen) == ["a", "b", "c"]


def test_content_free_frames_can_come_first(simulator: Simulator) -> None:
    plain, padded = chat(simulator, {"tokens": 2}), chat(simulator, {"tokens": 2, "empty_before": 5})
    assert len(padded.data) == len(plain.data) + 5


def test_ids_can_be_missing_or_null(simulator: Simulator) -> None:
    assert all("id" not in frame for frame in chat(simulator, {"no_id": True, "tokens": 2}).events[1:3])
    frame = chat(simulator, {"null_fields": True, "tokens": 2}).events[2]
    assert (frame["id"], frame["model"], frame["created"]) == (None, None, None)


def test_a_lone_surrogate_is_escaped_json(simulator: Simulator) -> None:
    seen = chat(simulator, {"surrogate": True, "tokens": 1})
    assert rb"\ud83d" in seen.body
    assert "\ud83d" in texts(seen)[0]


# Delays.


@pytest.mark.parametrize("name", ["header_delay", "accept_delay", "start_delay"])
def test_silences_hold(simulator: Simulator, name: str) -> None:
    began = time.monotonic()
    assert texts(chat(simulator, {name: 0.2, "tokens": 1}))
    assert time.monotonic() - began >= 0.2


def test_a_start_delay_comes_after_the_head_and_a_header_delay_before(simulator: Simulator) -> None:
    simulator.behave({"start_delay": 5}, {"header_delay": 5})
    with Probe(f"{simulator.base_url()}chat/completions", BODY) as probe:
        assert b"200 OK" in probe.read_until(b"assistant")
    assert simulator.wait_for(ended="client_gone")["phase"] == "before_content"
    with Probe(f"{simulator.base_url()}chat/completions", BODY):
        simulator.wait_for(count=2)
    assert simulator.wait_for(ended="client_gone", count=2)["phase"] == "before_headers"


def test_pieces_come_at_their_interval(simulator: Simulator) -> None:
    simulator.behave({"tokens": 5, "interval": 0.05})
    arrivals = []
    with Probe(f"{simulator.base_url()}chat/completions", BODY) as probe:
        while probe.read():
            arrivals.append(time.monotonic())
    assert len(arrivals) >= 5
    assert arrivals[-1] - arrivals[0] >= 0.2
    assert any(later - earlier >= 0.03 for earlier, later in itertools.pairwise(arrivals))


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _chunked(seen: Seen) -> dict[str, str]:
    return {"transfer-encoding": seen.headers["transfer-encoding"]}
