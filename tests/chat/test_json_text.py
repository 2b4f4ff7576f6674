"""Text that stays JSON: what it says, whether it says anything, and what it would take in memory."""

import json
import sys

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.chat.json_text import JsonText, is_text, is_wide
from shared.json_bounds import SLICE_BYTES
from tests.harness.cells import cells

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def raw(text: str, *, escaped: bool = False) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(text, ensure_ascii=escaped).encode())


@given(st.lists(TEXTS, min_size=1), st.booleans())
def test_texts_are_joined_as_they_are_spelled(texts: list[str], escaped: bool) -> None:
    joined = JsonText.joined(JsonText(raw(text, escaped=escaped)) for text in texts)
    assert str(joined) == "".join(texts)
    assert joined == JsonText.of("".join(texts))
    assert hash(joined) == hash(JsonText.of("".join(texts)))


def test_a_text_equals_what_says_the_same_and_nothing_else() -> None:
    assert JsonText(raw("ä", escaped=True)) == JsonText(raw("ä"))
    assert JsonText.of("a") != JsonText.of("b")
    assert JsonText.of("a") != "a"


def test_white_space_says_nothing_however_it_is_spelled() -> None:
    spaces = [character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace()]
    for escaped in (True, False):
        assert all(JsonText(raw(space, escaped=escaped)).is_blank for space in spaces)
        assert JsonText(raw("".join(spaces) * 10_000, escaped=escaped)).is_blank
        assert not JsonText(raw("".join(spaces) * 10_000 + "x", escaped=escaped)).is_blank
    assert JsonText.of("").is_blank
    assert JsonText(msgspec.Raw(b'"\\u001C\\u00A0\\u200A"')).is_blank


@given(TEXTS, st.booleans())
def test_other_text_says_something(text: str, escaped: bool) -> None:
    assert JsonText(raw(text, escaped=escaped)).is_blank == (not text.strip())


def test_a_string_is_told_from_other_values() -> None:
    assert is_text(raw(""))
    assert not any(is_text(msgspec.Raw(value)) for value in (b"1", b"null", b"{}", b'["a"]'))


@cells("before", [0, SLICE_BYTES - 8, *range(SLICE_BYTES - 7, SLICE_BYTES + 2)])
def test_a_string_that_may_say_more_than_ascii_is_wide(before: int) -> None:
    filled = b'"' + b"x" * before
    for wide in (b"\\u0080", b"\\u00e4", b"\\u4e2d", b"\\ud83d\\ude00", "ä".encode()):
        assert is_wide(msgspec.Raw(filled + wide + b'"'))
    for narrow in (b"\\u002B", b"\\u007f", b"\\n", b"x", b""):
        assert not is_wide(msgspec.Raw(filled + narrow + b'"'))
