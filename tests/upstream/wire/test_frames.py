"""Decoding a frame: strictly where that works, leniently where it does not."""

from typing import Any

import msgspec
import pytest

from shared.errors import UpstreamMalformed
from shared.upstream.wire.frames import (
    fields_of,
    frame_decoder,
    integer_or_none,
    items_of,
    object_or_none,
    string_or_none,
    text_of,
)
from tests.harness.cells import cells


class Point(msgspec.Struct):
    x: int | None = None
    label: str | None = None


def read_point(fields: dict[str, Any]) -> Point:
    return Point(integer_or_none(fields.get("x")), string_or_none(fields.get("label")))


decode = frame_decoder(Point, read_point)


@cells(
    ("data", "point"),
    [
        (b'{"x": 1, "label": "a", "other": [1e400]}', Point(1, "a")),
        (b'{"x": "1", "label": "a"}', Point(None, "a")),
        (b'{"x": true, "label": 5}', Point(None, None)),
        (b'{"x": 1, "label": "a\\ud800"}', Point(1, "a\ufffd")),
        (b'{"x": 1, "label": "a\xed\xa0\x80"}', Point(1, "a\ufffd")),
        (b'{"x": 1, "logprob": NaN}', Point(1, None)),
        (b'{"x": 1, "label": "a", "other": "\\ud800", "big": 1e400, "long": ' + b"9" * 5000 + b"}", Point(1, "a")),
    ],
)
def test_a_frame_is_read_as_far_as_it_fits(data: bytes, point: Point) -> None:
    assert decode(data) == point


@cells("bad", [b"", b"{", b"nope", b"[1]", b'"x"', b"5", b"\xff", b'{"x": "\xff"}', b"[" * 100_000])
def test_what_is_not_a_json_object_is_malformed(bad: bytes) -> None:
    with pytest.raises(UpstreamMalformed, match="an event that is not valid JSON"):
        decode(bad)


def test_each_accessor_takes_one_type_only() -> None:
    values: list[Any] = [None, True, 5, 1.5, "a", [], {}]
    assert [string_or_none(value) for value in values] == [None, None, None, None, "a", None, None]
    assert [integer_or_none(value) for value in values] == [None, None, 5, None, None, None, None]
    assert [object_or_none(value) for value in values] == [None, None, None, None, None, None, {}]


def test_a_list_that_cannot_be_read_is_no_empty_one() -> None:
    assert items_of(None) == items_of([]) == []
    assert items_of([{"a": 1}]) == [{"a": 1}]
    odd: list[Any] = [{}, "a", 5, ["a"]]
    for value in odd:
        with pytest.raises(ValueError, match="not a"):
            items_of(value)
    with pytest.raises(ValueError, match="not an object"):
        fields_of([])


def test_text_is_found_in_a_string_and_in_a_list_of_parts() -> None:
    assert text_of("a") == text_of([{"type": "text", "text": "a"}, "b", {"image": 1}]) == "a"
    assert text_of(None) == text_of(5) == text_of({"text": "a"}) == ""
