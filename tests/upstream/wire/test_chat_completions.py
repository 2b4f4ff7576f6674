"""A chunk of (chat) completions: what it says, what is preamble, what is a failure."""

import json
from typing import Any

import pytest

from shared.errors import UpstreamMalformed
from shared.events import FINISH_REASONS, Usage
from shared.upstream.wire.chat_completions import (
    Chunk,
    decode_chunk,
    decode_later_chunk,
    failure_of,
    finish_reason_of,
    has_content,
)
from shared.upstream.wire.frames import NO_EXPLANATION
from tests.harness.cells import cells


def chunk(value: Any) -> Chunk:
    return decode_chunk(json.dumps(value).encode())


@cells(
    "choice",
    [
        {"delta": {"content": "x"}},
        {"delta": {"tool_calls": [{"index": 0}]}},
        {"delta": {"new_thing": 0}},
        {"text": "x"},
        {"finish_reason": "stop"},
    ],
)
def test_whatever_the_model_says_is_content(choice: Any) -> None:
    assert has_content(chunk({"choices": [{}, choice]}))


@cells(
    "value",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [{"delta": None, "text": ""}]},
        {"choices": [{"delta": {"role": "assistant", "content": "", "refusal": None, "tool_calls": [], "x": {}}}]},
        {"choices": [{"finish_reason": None, "content_filter_offsets": {"check_offset": 4}}]},
    ],
)
def test_annotations_and_roles_are_preamble(value: Any) -> None:
    assert not has_content(chunk(value))


def test_an_odd_field_costs_only_itself() -> None:
    found = chunk({"id": 5, "model": "m", "choices": [{"index": "0", "delta": {"content": "x"}, "finish_reason": {}}],
                   "usage": {"prompt_tokens": 1.5, "completion_tokens": 2, "prompt_tokens_details": []}})  # fmt: skip
    assert (found.id, found.model, has_content(found)) == (None, "m", True)
    assert found.usage is not None
    assert found.usage.event() == Usage(0, 2)


@cells("choices", [5, "x", ["x"], [None]])
def test_choices_that_cannot_be_read_are_malformed(choices: Any) -> None:
    with pytest.raises(UpstreamMalformed):
        chunk({"choices": choices})


def test_a_later_chunk_is_read_without_its_choices() -> None:
    later = decode_later_chunk(b'{"choices": 5, "usage": {"prompt_tokens": 1}, "error": "no"}')
    assert later.usage is not None
    assert (later.usage.event(), later.error) == (Usage(1, 0), "no")
    assert decode_later_chunk(b'{"usage": "none yet"}').usage is None


def test_a_failure_has_the_upstream_s_explanation_or_says_that_there_is_none() -> None:
    error = failure_of(chunk({"error": {"message": "overloaded", "code": "server_error"}}))
    assert (error.message, error.code) == ("overloaded", "server_error")
    assert failure_of(chunk({"error": {}})).message == NO_EXPLANATION


def test_an_unknown_finish_reason_is_a_plain_stop() -> None:
    assert {finish_reason_of(reason) for reason in FINISH_REASONS} == FINISH_REASONS
    assert (finish_reason_of("function_call"), finish_reason_of("eos_token")) == ("tool_calls", "stop")
