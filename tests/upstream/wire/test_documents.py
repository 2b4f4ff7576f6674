"""A complete answer in JSON where a stream was asked for: the answer, as events, in both APIs and every format."""

import json
from typing import Any

import pytest

from shared.errors import UpstreamErrorResponse, UpstreamMalformed
from shared.upstream.wire.documents import frames_of_document
from tests.harness.app import GOOD, ask_in
from tests.harness.cells import cells
from tests.harness.frames import FRAMES
from tests.harness.upstream import EVENT_STREAM, JSON, Play
from tests.worker.ways import COLLECTED, STREAMS, Outcome

FINISHED = Outcome("finished", words="Hello you")
PATHS = {"completions": "completions", "responses": "responses"}
STREAMED = [*STREAMS, *COLLECTED]
every_way = cells("way", STREAMED)


def document(way: str) -> bytes:
    return FRAMES[PATHS.get(way, "chat/completions")].whole(("Hello", " you"))


@every_way
@cells("label", [JSON, EVENT_STREAM], ids=["JSON", "an event stream"])
@cells("size", [7, 100_000])
def test_a_whole_answer_in_place_of_a_stream_is_the_answer(way: str, label: Any, size: int) -> None:
    whole = b"\n " + document(way)
    reads = [whole[start : start + size] for start in range(0, len(whole), size)]
    outcome, asked, received = ask_in(way, [Play(body=reads, headers=label), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1})
    if way in ("openai chat", "completions", "responses"):
        assert received.headers["content-type"].startswith("text/event-stream")


@every_way
def test_an_error_in_place_of_a_stream_is_that_error_once(way: str) -> None:
    error = json.dumps({"error": {"message": "boom", "code": "content_filter"}}).encode()
    outcome, asked, _ = ask_in(way, [Play(body=[error], headers=JSON), GOOD])
    assert (outcome, asked) == (Outcome("refused", "content_filter", 400), {"main": 1})


@every_way
@cells("body", [b'{"error":{"code":"429"}}', b'{"hello":"there"}', b'{"choices":', b'{"choices":5}', b"{}"])
def test_what_is_no_answer_and_not_the_callers_fault_moves_on(way: str, body: bytes) -> None:
    outcome, asked, _ = ask_in(way, [Play(body=[body], headers=JSON), GOOD])
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})


@every_way
def test_a_document_beyond_the_bound_moves_on(way: str) -> None:
    body = b'{"choices":[{"message":{"content":"' + b"x" * 70_000 + b'"}}]}'
    outcome, asked, _ = ask_in(way, [Play(body=[body], headers=JSON), GOOD], MAX_EVENT_BYTES="65536")
    assert (outcome, asked) == (FINISHED, {"main": 1, "second": 1})


@every_way
def test_an_answer_that_the_model_did_not_finish_is_none(way: str) -> None:
    half: dict[str, Any] = {
        "choices": [{"index": 0, "message": {"content": "half"}, "text": "half", "finish_reason": None}]
    }
    if way == "responses":
        half = {
            "object": "response",
            "status": "failed",
            "error": {"code": "server_error", "message": "No."},
            "output": [],
        }
    _, _, received = ask_in(way, [Play(body=[json.dumps(half).encode()], headers=JSON)])
    assert received.receipt["ended"] in ("upstream_cut", "server_error")


@cells("status", [None, "queued", "in_progress", "odd", 5, ["completed"]])
def test_a_response_that_does_not_say_that_it_has_ended_is_cut(status: Any) -> None:
    part = {"type": "output_text", "text": "half"}
    document = {"object": "response", "output": [{"type": "message", "content": [part]}], "status": status}
    body = json.dumps(document).encode()
    for way, dialect in ("responses", "chat"), ("chat ndjson", "responses"):
        _, _, received = ask_in(way, [Play(body=[body], headers=JSON)], AZURE_OPENAI_API=dialect)
        assert received.receipt["ended"] == "upstream_cut"


def told(document: dict[str, Any]) -> list[dict[str, Any]]:
    frames = frames_of_document(json.dumps(document).encode())
    return [json.loads(frame.partition(b"data: ")[2]) for frame in frames if b"[DONE]" not in frame]


def test_tools_that_are_called_are_numbered_as_in_a_stream() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call, call]}
    (chunk,) = told({"id": "1", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    (choice,) = chunk["choices"]
    assert [one["index"] for one in choice["delta"]["tool_calls"]] == [0, 1]
    assert (chunk["object"], choice["finish_reason"], "message" in choice) == (
        "chat.completion.chunk",
        "tool_calls",
        False,
    )


def test_a_response_becomes_the_events_that_its_clients_read() -> None:
    part = {"type": "output_text", "text": "Hi", "annotations": []}
    output = [
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "content": [part, {"type": "refusal", "refusal": "No."}],
        },
    ]
    events = told({"id": "r", "object": "response", "status": "incomplete", "output": output})
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created", "output_item.added", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done",
        "content_part.added", "refusal.delta", "refusal.done", "content_part.done", "output_item.done", "incomplete",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["response"]["output"] == output


@cells("bad", [b"{", b"[]", b"5", b'{"choices":[5]}', b'{"object":"response","output":5}', b"[" * 100_000])
def test_what_is_no_answer_is_malformed(bad: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        frames_of_document(bad)


def test_an_error_document_says_whose_fault_it_is() -> None:
    for value in ({"error": {"code": "bio_policy", "message": "No."}}, {"message": "No.", "code": "bio_policy"}):
        with pytest.raises(UpstreamErrorResponse) as caught:
            frames_of_document(json.dumps(value).encode())
        assert (caught.value.status, caught.value.message) == (400, "No.")
