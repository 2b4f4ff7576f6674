"""Lone surrogates: what Python text can hold and UTF-8 cannot encode."""

from shared.surrogates import has_lone_surrogate, replace_surrogates
from tests.harness.cells import cells


@cells(
    ("text", "expected"),
    [("a\ud800b", "a\ufffdb"), ("\udc00", "\ufffd"), ("😀", "😀"), ("\ud83d\ude00", "😀"), ("plain", "plain")],
)
def test_a_lone_surrogate_becomes_the_replacement_character_and_a_pair_stays_one(text: str, expected: str) -> None:
    assert replace_surrogates(text) == expected
    assert replace_surrogates({text: [text, 1, None]}) == {expected: [expected, 1, None]}


@cells(("text", "expected"), [("a\ud800b", True), ("\udc00", True), ("\ud83d\ude00", True), ("😀", False), ("", False)])
def test_what_utf_8_cannot_encode_is_found(text: str, expected: bool) -> None:
    assert has_lone_surrogate(text) is expected
    try:
        text.encode()
    except UnicodeEncodeError:
        assert expected
