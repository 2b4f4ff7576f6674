"""What the OpenAI API reads of a body, and the little that it changes."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.errors import BadRequest
from shared.openai_api.request import demand_of, parse_openai_request, upstream_body
from tests.harness.cells import cells
from tests.http.json_texts import JSON

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


def test_lone_surrogates_go_up_as_the_escapes_that_came() -> None:
    raw = b'{"model": "gpt", "messages": [{"role": "user", "content": "a\\ud800b"}]}'
    assert json.loads(up(raw)) == json.loads(raw) | {"model": "dep"}
    assert b"\\ud800" in up(raw)


@cells("number", ["1e400", "1E400", "-0", "1.0", "9" * 5000, "-1e-400"])
def test_numbers_go_up_as_they_came_next_to_a_lone_surrogate_too(number: str) -> None:
    for rest in ('"y":"a"', '"y":"\\ud800"', '"y":["\\udc00\\\\ud83d"]'):
        raw = f'{{"model":"gpt","x":{number},{rest}}}'.encode()
        assert up(raw) == raw.replace(b'"gpt"', b'"dep"')


def strictly(body: bytes) -> Any:
    """The value of JSON by a parser that takes no NaN, each number as the text that it is."""

    def no_constant(name: str) -> Any:
        raise ValueError(name)

    return json.loads(body.decode(), parse_int=lambda text: ("number", text), parse_float=lambda text: ("number", text),
                      parse_constant=no_constant)  # fmt: skip


@given(st.lists(JSON, max_size=3), st.booleans())
@example(["1e400", '"\\ud800"'], True)
def test_what_goes_up_is_json_with_every_number_spelled_as_it_came(values: list[str], stream: bool) -> None:
    fields = ['"model":"gpt"', f'"stream":{json.dumps(stream)}', *(f'"k{n}":{value}' for n, value in enumerate(values))]
    raw = ("{" + ",".join(fields) + "}").encode()
    usage = {"stream_options": {"include_usage": True}} if stream else {}
    assert strictly(up(raw)) == strictly(raw) | {"model": "dep"} | usage


DOUBLE = b'{"model":"gpt-5-pro","mod\\u0065l":"dep","max_tokens":100000,"max_tokens":5}'


@cells(("cap", "is_checked"), [(10, False), (None, True)])
def test_of_two_fields_of_one_name_only_the_one_that_was_checked_goes_up(cap: int | None, is_checked: bool) -> None:
    request = parse_openai_request(DOUBLE)
    body = upstream_body(request, CHAT, "dep", max_output_tokens=cap, is_checked=is_checked)
    assert json.loads(body, object_pairs_hook=list) == [("model", "dep"), ("max_tokens", 5)]


def test_where_nothing_is_checked_they_go_up_as_they_came() -> None:
    assert up(DOUBLE) == DOUBLE


def test_a_byte_order_mark_does_not_go_up() -> None:
    assert up(b'\xef\xbb\xbf{"model":"dep"}') == b'{"model":"dep"}'


def test_lone_surrogates_in_the_stream_s_options_go_up_as_they_came() -> None:
    body = b'{"model":"dep","stream":true,"stream_options":{"a":"\\ud800","include_usage":false,"b":{"\\udc00":1}}}'
    assert up(body) == body.replace(b"false", b"true")


@cells("options", ["5", "null", '"x"', "[]", "{}", " { } "])
def test_options_of_a_stream_that_are_none_are_replaced(options: str) -> None:
    body = f'{{"model":"dep","stream":true,"stream_options":{options}}}'.encode()
    assert json.loads(up(body))["stream_options"] == {"include_usage": True}


def test_a_stream_is_always_asked_for_its_usage() -> None:
    assert json.loads(up({"model": "m", "stream": True}))["stream_options"] == {"include_usage": True}
    options = {"include_obfuscation": False, "include_usage": False}
    asked = json.loads(up({"model": "m", "stream": True, "stream_options": options}))
    assert asked["stream_options"] == {"include_obfuscation": False, "include_usage": True}


@cells("path", ["responses", "embeddings"])
def test_where_usage_always_comes_it_is_not_asked_for(path: str) -> None:
    assert "stream_options" not in json.loads(up({"model": "m", "stream": True}, path=path))


def test_what_the_caller_asked_for_is_known() -> None:
    request = parse_openai_request(b'{"stream": true, "stream_options": {"include_usage": true}, "background": true}')
    assert (request.stream, request.wants_usage, request.background, request.model) == (True, True, True, None)
    assert not parse_openai_request(b'{"stream": false, "stream_options": null}').wants_usage


@cells(
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


@cells(
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
        b'{"stream": 1e400}',
        b'{"model": 1e400}',
        b'{"model": "\\ud800"}',
        b'{"model": "\\ud800", "stream": true}',
        b'{"stream_options": {"\\ud800": 1}}',
    ],
)
def test_what_cannot_be_relayed_is_a_400(body: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        up(body)
    assert caught.value.status == 400


def test_a_model_that_is_no_name_is_a_400() -> None:
    for model in ("7", '["m"]', '"gpt\\ud83d"', "[" * 5000 + "]" * 5000):
        with pytest.raises(BadRequest, match=r"'model' is not valid; expected the name of a model\.") as caught:
            parse_openai_request(f'{{"model": {model}}}'.encode())
        assert caught.value.param == "model"


def test_an_empty_model_counts_as_none() -> None:
    assert parse_openai_request(b'{"model": ""}').model is None
    assert json.loads(up(b'{"model": ""}')) == {"model": "dep"}


@cells(
    ("path", "asked", "cap", "expected"),
    [
        ("chat/completions", {"max_tokens": 1, "max_completion_tokens": 5000}, None, (5000, 1)),
        ("chat/completions", {"max_tokens": 1, "max_completion_tokens": 5000}, 300, (300, 1)),
        ("chat/completions", {"max_tokens": 0.5, "n": 2.5}, None, (1, 3)),
        ("chat/completions", {"max_tokens": True, "n": -3}, None, (None, 1)),
        ("chat/completions", {"max_tokens": -7, "n": "9"}, 50, (50, 1)),
        ("completions", {"max_tokens": 10, "n": 2, "best_of": 20}, None, (10, 20)),
        ("responses", {"max_tokens": 1, "n": 9}, None, (None, 1)),
        ("responses", {"max_output_tokens": 7}, 9, (7, 1)),
        ("responses", {"max_output_tokens": 7, "max_tokens": 800}, None, (800, 1)),
        ("responses/compact", {"max_output_tokens": 7}, 9, (None, 1)),
    ],
)
def test_what_is_reserved_is_the_most_that_the_upstream_may_take_the_request_for(
    path: str, asked: dict[str, Any], cap: int | None, expected: tuple[int | None, int]
) -> None:
    demand = demand_of(parse_openai_request(json.dumps(asked).encode()), path, max_output_tokens=cap)
    assert (demand.max_output, demand.choices) == expected
    assert demand.has_output
    assert not demand.outlives


@cells("number", ["1e999", "-1e999", "1" * 400, "null", "[]", '"\\ud800"'])
def test_no_number_is_too_odd_to_be_looked_at(number: str) -> None:
    demand = demand_of(
        parse_openai_request(b'{"max_tokens":%b,"n":%b}' % (number.encode(), number.encode())),
        "chat/completions",
        max_output_tokens=None,
    )
    assert demand.max_output is None or demand.max_output > 10**300


def test_a_background_response_outlives_its_caller() -> None:
    request = parse_openai_request(b'{"background":true}')
    assert demand_of(request, "responses", max_output_tokens=None).outlives
