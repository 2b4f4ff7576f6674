"""The events of images and audio, and what they cost."""

import json
from typing import Any

import pytest

from shared.errors import UpstreamMalformed
from shared.events import Usage
from shared.upstream.wire.media import SEARCHED_BYTES, body_usage, decode_media_event, read_usage
from tests.harness.cells import cells

TOKENS = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "total_tokens": 59}


def test_an_event_is_read_as_far_as_its_type_usage_and_error() -> None:
    event = decode_media_event(b'{"type":"image_generation.completed","b64_json":"AAAA","usage":{"input_tokens":1}}')
    assert (event.type, event.usage, event.error) == ("image_generation.completed", {"input_tokens": 1}, None)
    assert decode_media_event(b'{"type":5,"error":{"code":"x"}}').error == {"code": "x"}


@cells("data", [b"[]", b"{", b"5", b""])
def test_what_is_no_object_is_malformed(data: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        decode_media_event(data)


@cells(
    ("value", "usage"),
    [
        (TOKENS, Usage(14, 45)),
        ({"input_tokens": 7, "output_tokens": "many"}, Usage(7, 0)),
        ({"type": "duration", "seconds": 3}, None),
        ({}, None),
        (None, None),
        (5, None),
    ],
)
def test_a_usage_without_tokens_is_unknown_and_not_zero(value: Any, usage: Usage | None) -> None:
    assert read_usage(value) == usage


@cells("is_last", [True, False])
def test_the_usage_of_an_answer_of_megabytes_is_found_at_its_ends(is_last: bool) -> None:
    image = {"data": [{"b64_json": "A" * 3_000_000, "revised_prompt": 'say "usage": {"input_tokens": 9}'}]}
    told = {"usage": {"input_tokens": 7, "output_tokens": 272}, "svg_usage": {"input_tokens": 1}}
    body = json.dumps(image | told if is_last else told | image).encode()
    assert body_usage(body[:SEARCHED_BYTES], body[-SEARCHED_BYTES:]) == Usage(7, 272)


@cells("body", [b"", b'{"usage":{', b'{"usage":{"seconds":3}}', b'the "usage" of words', b"\xff"])
def test_an_answer_without_tokens_has_no_usage(body: bytes) -> None:
    assert body_usage(body, body) is None
