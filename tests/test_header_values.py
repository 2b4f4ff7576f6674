"""What of a header may leave, towards a client or an upstream."""

from hypothesis import given
from hypothesis import strategies as st

from shared.header_values import (
    MAX_HEAD_CHARACTERS,
    MAX_HEADERS,
    MAX_VALUE_CHARACTERS,
    clean_headers,
    clean_value,
)
from tests.harness.cells import cells


@given(st.text())
def test_a_clean_value_is_printable_ascii_and_tabs(value: str) -> None:
    cleaned = clean_value(value)
    assert cleaned.replace("\t", " ").isprintable()
    assert cleaned.isascii()
    assert cleaned == cleaned.strip()


@cells("value", ["", "abc", 'a "b" \t; c=1', "~!"])
def test_a_value_that_every_hop_accepts_is_not_touched(value: str) -> None:
    assert clean_value(value) == value


@cells(("value", "cleaned"), [("a\x01b\x0b\x1b\x7f", "ab"), ("a\r\nx: y", "ax: y"), ("Jos\u00e9", "Jos"), (" a ", "a")])
def test_what_a_hop_refuses_is_dropped_and_the_rest_kept(value: str, cleaned: str) -> None:
    assert clean_value(value) == cleaned


@cells("length", ["x", "-1", "+5", "5, 5", "1e3", "", "9" * 30, "\u0665"])
def test_a_length_that_is_no_number_does_not_leave(length: str) -> None:
    assert clean_headers({"content-length": length, "a": "b"}) == {"a": "b"}
    assert clean_headers({"Content-Length": length}) == {}
    assert clean_headers({"content-length": "12"}) == {"content-length": "12"}


def test_a_value_of_which_nothing_is_left_does_not_leave() -> None:
    assert clean_headers({"a": "\x01", "b": "", "c": "d"}) == {"b": "", "c": "d"}


def test_no_head_is_larger_than_every_hop_accepts() -> None:
    assert clean_headers({"a": "x" * MAX_VALUE_CHARACTERS, "b": "x" * (MAX_VALUE_CHARACTERS + 1)}).keys() == {"a"}
    assert clean_headers({"x" * 128: "a", "x" * 129: "b", "a b": "c", "": "d"}) == {"x" * 128: "a"}
    many = {f"x-ratelimit-{number}": "1" for number in range(512)}
    assert next(iter(clean_headers({"x-request-id": "r", **many}))) == "x-request-id"
    assert len(clean_headers(many)) == MAX_HEADERS
    large = {f"x-ratelimit-{number}": "1" * MAX_VALUE_CHARACTERS for number in range(60)}
    kept = clean_headers(large)
    assert 0 < sum(len(f"{name}: {value}\r\n") for name, value in kept.items()) <= MAX_HEAD_CHARACTERS
