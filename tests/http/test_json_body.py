"""A request's body: which headers, which bytes, and what its fields keep."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.errors import BadRequest, InvalidJson
from shared.http.json_body import (
    MAX_FIELDS,
    MAX_NAME_BYTES,
    MAX_NAME_CHARACTERS,
    SMALL_BODY_BYTES,
    check_content_headers,
    decode_value,
    parse_fields,
)
from tests.harness.cells import cells
from tests.http.json_texts import JSON, SPACE


@cells(
    "accepted",
    [
        "application/json",
        "Application/JSON; charset=UTF-8",
        'application/json;charset="utf-8"',
        "application/json; charset=us-ascii",
        "application/json;odata=verbose",
        "application/json; charset=utf-8; x=y",
        "application/json;",
    ],
)
def test_json_in_utf8_is_the_content_type(accepted: str) -> None:
    check_content_headers({"content-type": accepted})


@cells(
    "refused",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin1",
        "application/json; x=y; charset=utf-16",
    ],
)
def test_another_content_type_is_an_error(refused: str) -> None:
    with pytest.raises(BadRequest, match="application/json") as caught:
        check_content_headers({"content-type": refused})
    assert caught.value.status == 415


@cells("encoding", ["gzip", "br", "gzip, identity"])
def test_a_compressed_body_is_named_as_such(encoding: str) -> None:
    with pytest.raises(BadRequest, match="compressed") as caught:
        check_content_headers({"content-type": "application/json", "content-encoding": encoding})
    assert caught.value.status == 415
    check_content_headers({"content-type": "application/json", "content-encoding": "identity"})


@cells(
    ("body", "message"),
    [
        (b"", "The body is empty; expected a JSON object."),
        (b" \n", "The body is empty; expected a JSON object."),
        (b"{", "The body is not valid JSON."),
        (b'{"a": NaN}', "The body is not valid JSON."),
        (b'{"a": [-Infinity]}', "The body is not valid JSON."),
        (b'{"a": "\\ud800", "b": NaN}', "The body is not valid JSON."),
        (b'{"a": "\\ud800}', "The body is not valid JSON."),
        (b'{"a": "\\ud8"}', "The body is not valid JSON."),
        (b'{"a": "\0\\ud800"}', "The body is not valid JSON."),
        (b'{"a": 01}', "The body is not valid JSON."),
        (b'{"a": "\t"}', "The body is not valid JSON."),
        (b'{"a": 1,}', "The body is not valid JSON."),
        (b"[1]", "The body is not a JSON object."),
        (b'"hi"', "The body is not a JSON object."),
        (b"null", "The body is not a JSON object."),
        (b'{"a": "\xff"}', "The body is not valid UTF-8."),
        (b'{"a": "\xed\xa0\x80"}', "The body is not valid UTF-8."),
        ('{"a": 1}'.encode("utf-16-le"), "The body is not valid JSON."),
        (b'{"a": ' + b"[" * 100_000, "The JSON is nested too deeply."),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "The JSON is nested too deeply."),
        (b'{"a": "\\ud800", "b": ' + b'{"x":' * 100_000 + b"1" + b"}" * 100_001, "The JSON is nested too deeply."),
        (b'{"a": "\\u00\\ud800"}', "The body is not valid JSON."),
        (b'{"a": \\ud800}', "The body is not valid JSON."),
        (b'{"a": "\\ud8zz", "b": "\\ud800"}', "The body is not valid JSON."),
        (b'{"a\\udc00": 1}', "A field's name contains a lone surrogate; expected Unicode text."),
    ],
)
def test_what_is_not_a_json_object_is_an_error(body: bytes, message: str) -> None:
    with pytest.raises(InvalidJson) as caught:
        parse_fields(body)
    assert caught.value.message == message


LARGE = b'"x":"' + b" " * SMALL_BODY_BYTES + b'",'


@cells("before", [b"", LARGE, LARGE + b'"s":"\\ud800",'], ids=["small", "large", "surrogates"])
def test_a_body_has_so_many_fields_and_no_more(before: bytes) -> None:
    many = [b'"k%d":0' % number for number in range(MAX_FIELDS)]
    given = before.count(b":")
    assert len(parse_fields(b"{" + before + b",".join(many[given:]) + b"}")) == MAX_FIELDS
    with pytest.raises(BadRequest, match=f"too many fields; expected at most {MAX_FIELDS}") as caught:
        parse_fields(b"{" + before + b",".join(many) + b',"more":0}')
    assert (caught.value.status, caught.value.code) == (400, "invalid_request")


def test_a_large_body_holds_so_many_values_and_no_more() -> None:
    body = b'{"x":[' + b",".join([b"0"] * 200_000) + b"]}"
    assert parse_fields(body, max_values=200_002)
    with pytest.raises(BadRequest, match="too many values; expected at most 200001"):
        parse_fields(body, max_values=200_001)


def test_the_names_of_a_large_body_are_text() -> None:
    fields = parse_fields(b"{" + LARGE + b'"a\\ud83d\\ude00":1}')
    assert {type(name) for name in fields} == {str}
    assert msgspec.json.decode(msgspec.json.encode(fields)).keys() == {"x", "a\U0001f600"}


@cells("shift", range(4))
def test_the_utf8_of_a_large_body_is_checked_across_its_slices(shift: int) -> None:
    text = b"x" * shift + "\U0001f600".encode() * SMALL_BODY_BYTES
    assert parse_fields(b'{"x":"' + text + b'"}')
    for broken in (text + b"\xf0\x9f", text[:-1], b"\xff" + text):
        with pytest.raises(InvalidJson, match="UTF-8"):
            parse_fields(b'{"x":"' + broken + b'"}')
    with pytest.raises(InvalidJson, match="UTF-8"):
        parse_fields(b'{"x":"' + text + b'"}\xf0\x9f')


def test_a_body_may_contain_the_byte_that_marks_surrogates() -> None:
    body = b'{"a\x7f": "\\ud800 \x7f\\ud800"}'
    assert spelled(body) == {"a\x7f": b'"\\ud800 \x7f\\ud800"'}


def spelled(body: bytes) -> dict[str, bytes]:
    return {name: bytes(value) for name, value in parse_fields(body).items()}


@cells("lone", [b"", b',"s":"\\ud800"', b',"s":"\\\\\\udc00\\ud83d\\ude00"'])
def test_every_value_is_kept_as_it_is_spelled(lone: bytes) -> None:
    digits = b"9" * 5000
    body = b'{"x": 1e400, "n": -0, "e":1E400 ,"f":1.0, "i": %s, "o": { "a":[1.10, "\\u00e9\\\\u0041"] } %s}'
    assert spelled(body % (digits, lone)) == {
        "x": b"1e400", "n": b"-0", "e": b"1E400", "f": b"1.0", "i": digits, "o": b'{ "a":[1.10, "\\u00e9\\\\u0041"] }',
    } | ({"s": lone.partition(b":")[2]} if lone else {})  # fmt: skip


def test_a_byte_order_mark_is_dropped() -> None:
    assert spelled(b'\xef\xbb\xbf{"a": 1}') == {"a": b"1"}


def test_a_name_may_have_a_pair_of_surrogates_next_to_a_lone_one_in_a_value() -> None:
    body = b'{"a\\ud83d\\uDE00\\ud7ff": "\\ud800", "\\\\ud800": 1}'
    assert spelled(body) == {"a\U0001f600\ud7ff": b'"\\ud800"', "\\ud800": b"1"}


def test_of_two_fields_with_one_name_the_last_counts() -> None:
    assert spelled(b'{"a": 1, "\\u0061": 2}') == {"a": b"2"}


def test_a_number_beyond_all_range_is_decoded_as_infinite() -> None:
    assert decode_value(msgspec.Raw(b"[1e400, -1e400, " + b"9" * 5000 + b"]")) == [
        float("inf"), float("-inf"), float("inf"),
    ]  # fmt: skip


@given(st.lists(JSON, max_size=4), SPACE)
@example(["1e400", '"\\ud800"'], "")
def test_any_json_object_is_taken_apart_into_its_very_bytes(values: list[str], space: str) -> None:
    body = "{" + ",".join(f'{space}"k{n}"{space}:{value}{space}' for n, value in enumerate(values)) + "}"
    assert spelled(body.encode()) == {f"k{n}": value.encode() for n, value in enumerate(values)}


@given(JSON)
def test_a_decoded_value_is_the_one_that_json_itself_finds_without_lone_surrogates(value: str) -> None:
    expected = json.dumps(_without_lone_surrogates(json.loads(value)))
    assert json.dumps(decode_value(msgspec.Raw(value.encode()))) == expected


def _without_lone_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_lone_surrogates(name): _without_lone_surrogates(item) for name, item in value.items()}
    return value


@given(
    st.lists(
        st.sampled_from([*'{}[]":,1 u', "\\", "\\\\", "\\u", "\\u00", "\\ud8", "\\ud800", "\\udc00", "zz"]), max_size=12
    )
)
@settings(max_examples=300)
def test_what_json_itself_rejects_is_rejected(pieces: list[str]) -> None:
    body = '{"a":"\\ud800' + "".join(pieces) + "}"
    try:
        expected: Any = json.loads(body)
    except ValueError:
        expected = None
    if expected is None or any("\ud800" <= letter <= "\udfff" for name in expected for letter in name):
        with pytest.raises(InvalidJson):
            parse_fields(body.encode())
    else:
        assert {name: json.loads(bytes(value)) for name, value in parse_fields(body.encode()).items()} == expected


@cells(
    ("name", "allowed"),
    [("x" * (MAX_NAME_CHARACTERS + 1), "256 characters"), ("x" * (MAX_NAME_BYTES + 1), "4096 bytes")],
)
def test_a_long_name_in_a_large_body_is_an_error(name: str, allowed: str) -> None:
    assert parse_fields(b'{"' + name.encode() + b'":1}')
    with pytest.raises(BadRequest, match=f"The name of a field is too long; expected at most {allowed}"):
        parse_fields(b"{" + LARGE + b'"' + name.encode() + b'":1}')


def test_a_name_inside_a_value_may_be_longer() -> None:
    name = b"x" * MAX_NAME_BYTES
    assert parse_fields(b"{" + LARGE + b'"a":{"' + name + b'":1}}')
    with pytest.raises(BadRequest, match="too long"):
        parse_fields(b"{" + LARGE + b'"a":{"' + name + b'x":1}}')
