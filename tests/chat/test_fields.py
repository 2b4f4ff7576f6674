"""The readers of single fields, and the bounds that they name."""

from typing import Any

import msgspec
import pytest

from shared.chat.fields import (
    MAX_VALUE_BYTES,
    check_known,
    integer,
    invalid,
    number,
    one_of,
    read_flag,
    read_object,
    read_text,
    value_of,
)
from shared.errors import BadRequest


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))


def test_an_error_names_the_field_and_what_is_allowed_there() -> None:
    error = invalid("a.b", "text")
    assert (error.status, error.param, error.message) == (400, "a.b", "'a.b' is not valid; expected text.")


def test_the_bounds_of_a_number_are_allowed() -> None:
    assert [number(0, 2)("n", value) for value in (0, 0.5, 2)] == [0, 0.5, 2]
    assert [integer(1, 3)("n", value) for value in (1, 3)] == [1, 3]
    for value in (-1, 3, float("inf"), True, "1", None):
        with pytest.raises(BadRequest, match="a number from 0 to 2"):
            number(0, 2)("n", value)
    for value in (0, 4, 1.0, True, "1", None):
        with pytest.raises(BadRequest, match="an integer from 1 to 3"):
            integer(1, 3)("n", value)


def test_texts_flags_and_words_are_of_their_own_type() -> None:
    odd: list[Any] = ["c", ["a"], {}, None]
    assert (read_text("t", "a"), read_flag("f", False), one_of(("a", "b"))("w", "b")) == ("a", False, "b")
    for value in (" ", 5, None):
        with pytest.raises(BadRequest, match="text that is not empty"):
            read_text("t", value)
    for value in (0, "true", None):
        with pytest.raises(BadRequest, match="true or false"):
            read_flag("f", value)
    for word in odd:
        with pytest.raises(BadRequest, match="one of a, b"):
            one_of(("a", "b"))("w", word)


def test_an_object_has_no_other_fields_than_those_allowed() -> None:
    assert read_object("o", raw({"a": 1}), ("a", "b")) == {"a": raw(1)}
    assert read_object("o", raw({"a": 1, "c": 2}), ("a", "b"), ignored=("c",)) == {"a": raw(1), "c": raw(2)}
    with pytest.raises(BadRequest, match="an object with a, b"):
        read_object("o", raw([]), ("a", "b"))
    with pytest.raises(BadRequest, match=r"Unknown field 'o\.c'; allowed are a, b\."):
        read_object("o", raw({"a": 1, "c": 1, "d": 1}), ("a", "b"))


def test_a_value_that_is_too_large_is_none_that_a_reader_takes() -> None:
    fields = {"a": raw("x" * MAX_VALUE_BYTES), "b": raw("x")}
    assert value_of(fields, "b") == "x"
    assert value_of(fields, "c") is None
    for reader in (read_text, read_flag, number(0, 2), integer(0, 2), one_of(("x",))):
        with pytest.raises(BadRequest, match="'a' is not valid; expected"):
            reader("a", value_of(fields, "a"))


def test_a_long_unknown_name_is_cut() -> None:
    with pytest.raises(BadRequest) as caught:
        check_known(["x" * 1000], ("a",))
    assert caught.value.param == "x" * 128 + "…"
