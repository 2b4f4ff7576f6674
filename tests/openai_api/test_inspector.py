"""What a frame means for the relay: its kind, and what is known after it."""

import json
from typing import Any

import pytest
from openai.types.responses import Response

from shared.errors import ErrorObject, UpstreamMalformed
from shared.events import Usage
from shared.openai_api.inspector import ChunkInspector, ErrorFrame, FrameInspector, FrameKind, ResponseInspector
from tests.harness.cells import cells

PREAMBLE, CONTENT, ENDING, USAGE_ONLY, TERMINAL = (
    FrameKind.PREAMBLE,
    FrameKind.CONTENT,
    FrameKind.ENDING,
    FrameKind.USAGE_ONLY,
    FrameKind.TERMINAL,
)
ROLE = {"id": "c1", "choices": [{"delta": {"role": "assistant", "content": ""}}]}
WORD = {"id": "c1", "choices": [{"delta": {"content": "hi"}}]}
NOTE = {"id": "", "choices": [{"content_filter_offsets": {}}]}
STOP = {"id": "c1", "choices": [{"delta": {}, "finish_reason": "stop"}]}
COST = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}}


def kinds(inspector: FrameInspector, *frames: Any) -> list[FrameKind]:
    return [inspector.classify(frame if isinstance(frame, bytes) else json.dumps(frame).encode()) for frame in frames]


def ending(inspector: FrameInspector, error: ErrorObject, *, is_said: bool = False) -> list[ErrorFrame]:
    return list(inspector.error_frames(error, is_said=is_said, answer_id="resp_2"))


def test_the_frames_of_a_chat_answer_have_their_kinds() -> None:
    inspector = ChunkInspector()
    assert kinds(inspector, NOTE, ROLE, WORD, NOTE, STOP, COST, b"[DONE]") == [
        PREAMBLE, PREAMBLE, CONTENT, CONTENT, ENDING, USAGE_ONLY, TERMINAL,
    ]  # fmt: skip
    assert (inspector.answer_id, inspector.usage, inspector.error) == ("c1", Usage(1, 2), None)


def test_a_usage_with_a_choice_is_content_and_noted() -> None:
    inspector = ChunkInspector()
    assert kinds(inspector, ROLE | {"usage": COST["usage"]}, STOP | {"usage": {"prompt_tokens": 3}}) == [
        PREAMBLE,
        ENDING,
    ]
    assert inspector.usage == Usage(3, 0)


@cells("before", [[], [WORD]])
def test_an_error_chunk_is_a_failure(before: list[Any]) -> None:
    inspector = ChunkInspector()
    assert kinds(inspector, *before, {"error": {"message": "overloaded"}})[-1] is FrameKind.FAILURE
    assert inspector.error is not None
    assert inspector.error.message == "overloaded"


def test_the_events_of_a_response_have_their_kinds() -> None:
    inspector = ResponseInspector()
    assert kinds(
        inspector,
        {"type": "response.created", "response": {"id": "r1"}},
        {"type": "keepalive"},
        {"type": "response.output_text.delta", "sequence_number": 4, "delta": "hi"},
        {"type": "response.brand_new"},
        {"type": "response.completed", "response": {"id": "r1", "usage": {"input_tokens": 1}}},
    ) == [PREAMBLE, PREAMBLE, CONTENT, ENDING, TERMINAL]
    assert (inspector.answer_id, inspector.usage, inspector.error) == ("r1", Usage(1, 0), None)


def test_nothing_is_preamble_where_the_response_is_the_caller_s_at_once() -> None:
    assert kinds(ResponseInspector(commits_at_once=True), {"type": "response.created", "response": {}}) == [ENDING]


def test_a_failed_response_is_announced_and_then_a_failure() -> None:
    inspector = ResponseInspector()
    assert kinds(inspector, {"type": "response.failed"}, {"type": "error", "message": "slow down"}) == [
        FrameKind.FAILURE_ANNOUNCED, FrameKind.FAILURE,
    ]  # fmt: skip
    assert inspector.error is not None
    assert inspector.error.message == "slow down"


@cells("inspector", [ChunkInspector(), ResponseInspector()])
def test_what_is_not_json_is_malformed(inspector: FrameInspector) -> None:
    for bad in (b"{nope", b"[1]", b"\xff"):
        with pytest.raises(UpstreamMalformed):
            inspector.classify(bad)


def test_the_error_ending_is_the_one_of_the_format() -> None:
    error = ErrorObject("It broke off.", "upstream_error", "upstream_cut")
    assert ending(ChunkInspector(), error) == [(b"", {"error": error})]
    ((name, fields),) = ending(ResponseInspector(), error)
    assert (name, fields["code"], fields["error"]) == (b"error", "upstream_cut", error)


def test_a_client_that_knows_a_failure_by_its_terminal_event_alone_gets_one() -> None:
    error = ErrorObject("It broke off.", "upstream_error", "upstream_cut")
    inspector = ResponseInspector(ends_with_failed=True)
    begun = {"id": "resp_1", "model": "m", "created_at": 7}
    kinds(inspector, {"type": "response.created", "response": begun})
    kinds(inspector, {"type": "response.output_text.delta", "sequence_number": 4})
    (name, fields), (failed, ends) = ending(inspector, error)
    assert (name, fields["sequence_number"], fields["code"], fields["error"]) == (b"error", 5, "upstream_cut", error)
    assert (failed, ends["type"], ends["sequence_number"]) == (b"response.failed", "response.failed", 6)
    assert ends["response"]["error"] == {"code": "upstream_cut", "message": "It broke off."}
    assert {name: ends["response"][name] for name in (*begun, "status")} == begun | {"id": "resp_2", "status": "failed"}
    Response.model_validate(ends["response"] | {"error": {"code": "server_error", "message": "It broke off."}})


def test_an_error_that_the_upstream_has_said_is_not_said_twice() -> None:
    error = ErrorObject("It broke off.", "upstream_error", "upstream_cut")
    assert ending(ChunkInspector(), error, is_said=True) == []
    inspector = ResponseInspector(ends_with_failed=True)
    kinds(inspector, {"type": "error", "sequence_number": 4, "message": "It broke off."})
    ((name, ends),) = ending(inspector, error, is_said=True)
    assert (name, ends["sequence_number"]) == (b"response.failed", 5)
    kinds(inspector, {"type": "response.failed", "sequence_number": 5})
    assert ending(inspector, error, is_said=True) == []


def test_a_background_response_has_not_failed_with_its_stream() -> None:
    error = ErrorObject("It broke off.", "upstream_error", "upstream_cut")
    inspector = ResponseInspector(commits_at_once=True, ends_with_failed=True)
    assert [name for name, _ in ending(inspector, error)] == [b"error"]
    assert inspector.cuts_after_error


def test_only_an_event_with_a_response_object_has_one() -> None:
    inspector = ResponseInspector()
    events: tuple[dict[str, Any], ...] = (
        {"response": {"id": "resp_1"}},
        {"delta": "x"},
        {"response": None},
        {"response": {}},
    )
    found = []
    for fields in events:
        inspector.classify(json.dumps({"type": "response.any"} | fields).encode())
        found.append(inspector.has_response)
    assert found == [True, False, False, True]
    chunks = ChunkInspector()
    chunks.classify(json.dumps(WORD | {"response": {"id": "resp_1"}}).encode())
    assert not chunks.has_response
