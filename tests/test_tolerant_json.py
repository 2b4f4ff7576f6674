"""Lone surrogates and huge numbers: what is found in JSON text, and at what cost."""

import json
from itertools import product

import pytest

from shared.tolerant_json import MARK, loads, mark_surrogates, replace_lone_surrogates
from tests.harness.cells import cells

PIECES = ["\\\\", "\\ud83d", "\\uDE00", "\\ude00", "ud800", "\\u0041", '\\"']


def test_every_mixture_of_escapes_is_read_as_json_reads_it() -> None:
    for count in range(1, 5):
        for pieces in product(PIECES, repeat=count):
            text = '"' + "".join(pieces) + '"'
            expected = json.loads(text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            assert loads(text.encode()) == expected


def test_a_mark_put_back_gives_the_text_that_came() -> None:
    for count in range(1, 5):
        for pieces in product(PIECES, repeat=count):
            text = ('"' + "".join(pieces) + '"').encode()
            marked = mark_surrogates(text) or text
            json.loads(bytes(marked).replace(MARK, b"M")).encode()  # no surrogate is left
            assert marked.replace(MARK, b"\\") == text


def test_lone_surrogates_are_replaced_and_pairs_stay() -> None:
    for count in range(1, 5):
        for pieces in product(PIECES, repeat=count):
            text = '"' + "".join(pieces) + '"'
            expected = json.loads(text).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
            replaced = replace_lone_surrogates(text.encode()) or text.encode()
            assert (json.loads(replaced), len(replaced)) == (expected, len(text))


def test_a_surrogate_encoded_as_a_character_is_replaced_too() -> None:
    assert loads(b'"a\xed\xa0\x80b"') == "a\ufffdb"


def test_numbers_beyond_all_range_are_infinite() -> None:
    assert loads(b"[1e400, -" + b"9" * 5000 + b"]") == [float("inf"), float("-inf")]


@cells("text", ["\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\\\", "x\\n"])
def test_what_is_read_in_several_steps_is_read_as_in_one(text: str) -> None:
    for before in ("", "\\ud800", "\\u0041", "\\\\"):
        data = f'"{before}{text * 5000}"'.encode()
        expected = json.loads(data).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        assert loads(data) == expected
        marked = mark_surrogates(data) or data
        assert marked.replace(MARK, b"\\") == data
        json.loads(bytes(marked).replace(MARK, b"M")).encode()


@cells("bad", [b"", b"{", b"\xff", b'"\\ud8"', b'"\\ud800', b"\0"])
def test_what_is_not_json_is_a_value_error(bad: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of json or of the decoding, with a text of theirs
        loads(bad)


@cells("bad", [b'"\\ud8"', b'"\\ud8zz"', b'"\\uD', b'"\\\\\\ud80"', b'"\0\\ud800"'])
def test_what_is_not_json_is_not_marked(bad: bytes) -> None:
    assert mark_surrogates(bad) is None
    assert replace_lone_surrogates(bad) is None


def test_text_without_a_surrogate_s_escape_is_not_copied() -> None:
    text = b'"' + b"\\\\" * 1000 + b'\\u0041"'
    assert mark_surrogates(text) is None
