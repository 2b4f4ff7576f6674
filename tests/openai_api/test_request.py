"""What the OpenAI API reads of a body, and the little that it changes."""

import json
from typing import Any

import pytest

from shared.errors import BadRequest
from shared.openai_api.request import parse_openai_request, upstream_body

CHAT = "chat/completions"


def up(body: bytes | dict[str, Any], deployment: str = "dep", *, path: str = CHAT, cap: int | None = None) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return upstream_body(parse_openai_request(raw), path, deployment, max_output_tokens=cap)


def test_a_body_that_needs_no_change_goes_up_byte_for_byte() -> None:
    raw = b'{ "model":"dep",\n "messages": [ {"role":"user","content":"\\ud800 \\u00e9"} ], "seed": 12345678901234567890123 }'
    assert up(raw) == raw


def test_only_the_model_becomes_the_deployment() -> None:
    raw = b'{"model":"gpt","x_new":{"a":[1.0,1e400,12345678901234567890123]},"messages":[],"t":1.10}'
    assert up(raw) == raw.replace(b'"gpt"', b'"dep"')


def test_lone_surrogates_go_up_as_the_escapes_that_they_were() -> None:
    raw = b'{"model": "gpt", "messages": [{"role": "user", "content": "a\\ud800b"}]}'
    assert json.loads(up(raw)) == json.loads(raw) | {"model": "dep"}
    assert b"\\ud800" in up(raw)


def test_a_stream_is_always_asked_for_its_usage() -> None:
    assert json.loads(up({"model": "m", "stream": True}))["stream_options"] == {"include_usage": True}
    options = {"include_obfuscation": False, "include_usage": False}
    asked = json.loads(up({"model": "m", "stream": True, "stream_options": options}))
    assert asked["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@pytest.mark.parametrize("path", ["responses", "embeddings"])
def test_where_usage_always_comes_it_is_not_asked_for(path: str) -> None:
    assert "stream_options" not in json.loads(up({"model": "m", "stream": True}, path=path))


def test_what_the_caller_asked_for_is_known() -> None:
    request = parse_openai_request(b'{"stream": true, "stream_options": {"include_usage": true}, "background": true}')
    assert (request.stream, request.wants_usage, request.background, request.model) == (True, True, True, None)
    assert not parse_openai_request(b'{"stream": false, "stream_options": null}').wants_usage


@pytest.mark.parametrize(
    ("path", "given", "sent"),
    [
        (CHAT, {}, {"max_completion_tokens": 100}),
        (CHAT, {"max_tokens": 500}, {"max_tokens": 100}),
        (CHAT, {"max_tokens": 50}, {"max_tokens": 50}),
        (CHAT, {"max_completion_tokens": 500}, {"max_completion_tokens": 100}),
        (CHAT, {"max_tokens": "many"}, {"max_tokens": "many"}),
        ("completions", {}, {"max_tokens": 100}),
        ("responses", {"max_output_tokens": 101}, {"max_output_tokens": 100}),
        ("embeddings", {}, {}),
    ],
)
def test_the_output_cap_holds_in_every_dialect(path: str, given: dict[str, Any], sent: dict[str, Any]) -> None:
    assert json.loads(up({"model": "dep"} | given, path=path, cap=100)) == {"model": "dep"} | sent


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"model": 5}',
        b'{"stream": "yes"}',
    ],
)
def test_what_cannot_be_relayed_is_a_400(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        up(body)
    assert caught.value.status == 400


def test_a_model_that_is_no_name_is_a_400() -> None:
    for model in (7, ["m"]):
        with pytest.raises(BadRequest) as caught:
            parse_openai_request(json.dumps({"model": model}).encode())
        assert caught.value.param == "model"


def test_an_empty_model_counts_as_none() -> None:
    assert parse_openai_request(b'{"model": ""}').model is None
    assert json.loads(up(b'{"model": ""}')) == {"model": "dep"}
