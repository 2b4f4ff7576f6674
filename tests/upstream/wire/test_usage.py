"""What an answer cost, under the names of either API, in a stream and in a complete body."""

import json
from typing import Any

from shared.events import Usage
from shared.upstream.wire.body import Body, read_body
from shared.upstream.wire.usage import read_completion_usage, read_response_usage
from tests.harness.cells import cells

COMPLETION = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21,
              "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 3}}  # fmt: skip
RESPONSE = {"input_tokens": 9, "output_tokens": 12, "total_tokens": 21,
            "input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": {"reasoning_tokens": 3}}  # fmt: skip


def test_both_names_say_the_same() -> None:
    completion, response = read_completion_usage(COMPLETION), read_response_usage(RESPONSE)
    assert completion is not None
    assert response is not None
    assert completion.event() == response.event() == Usage(9, 12, 4, 3)


@cells("value", [None, "none yet", 5, []])
def test_what_is_no_object_is_no_usage(value: Any) -> None:
    assert read_completion_usage(value) is None
    assert read_response_usage(value) is None


def test_what_is_left_out_or_odd_counts_as_no_tokens() -> None:
    for value in ({}, {"prompt_tokens": "9", "completion_tokens_details": {"reasoning_tokens": None}}):
        usage = read_completion_usage(value)
        assert usage is not None
        assert usage.event() == Usage(0, 0)


@cells("usage", [COMPLETION, RESPONSE])
def test_a_complete_body_has_an_id_and_a_usage(usage: Any) -> None:
    body = read_body(json.dumps({"id": "x", "usage": usage, "choices": []}).encode())
    assert (body.id, body.event()) == ("x", Usage(9, 12, 4, 3))


def test_lone_surrogates_elsewhere_in_a_body_change_nothing() -> None:
    body = read_body(b'{"id": "x", "usage": {"input_tokens": 1}, "output": ["\\ud800"]}')
    assert (body.id, body.event()) == ("x", Usage(1, 0))


@cells("data", [b"", b"[]", b"{", b"\xff", b'{"usage": 5}', b'{"usage": {"prompt_tokens": "x"}}', b"[" * 100_000])
def test_a_body_that_cannot_be_read_has_neither(data: bytes) -> None:
    body = read_body(data)
    assert (body.id, body.event()) == (None, None)
    assert Body().event() is None
