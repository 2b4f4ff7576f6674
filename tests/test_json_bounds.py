"""How many values JSON text holds, and how long its names are."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import json_bounds
from shared.json_bounds import SLICE_BYTES, Bound, exceeded_bound, matches
from tests.harness.cells import cells

VALUES = st.recursive(
    st.none() | st.integers(-1, 1) | st.text('ab\\",[{:é\n', max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a\\",[', max_size=3), inner, max_size=4),
    max_leaves=20,
)


def count(value: Any) -> int:
    """Every value but the first of each container, which its bracket stands for; and every container."""
    if isinstance(value, dict | list):
        items = list(value.values()) if isinstance(value, dict) else value
        return 1 + max(len(items) - 1, 0) + sum(count(item) for item in items)
    return 0


def has_more_values(text: bytes, maximum: int) -> bool:
    return exceeded_bound(text, max_values=maximum, max_name_bytes=1000 * SLICE_BYTES) is Bound.VALUES


def longest_name(value: Any) -> int:
    """In bytes, without the escapes of quotation marks and backslashes, which are not counted."""
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    names = [len(name.replace("\\", "").replace('"', "").encode()) for name in value] if isinstance(value, dict) else []
    return max([*names, *map(longest_name, items)], default=-1)


@given(VALUES, st.integers(1, 5))
def test_the_bound_is_exact_however_the_text_is_cut(value: Any, slice_bytes: int) -> None:
    text, expected = json.dumps(value, ensure_ascii=False).encode(), 1 + count(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bounds, "SLICE_BYTES", slice_bytes)
        assert not has_more_values(text, expected)
        assert has_more_values(text, expected - 1)


@cells("escapes", [b"\\\\", b'\\"', b"\\n"])
@cells("shift", [0, 1])
def test_an_escape_that_is_cut_in_two_does_not_end_a_string(escapes: bytes, shift: int) -> None:
    text = b'["' + b"x" * shift + escapes * SLICE_BYTES + b',[,["]'
    assert not has_more_values(text, 2)


@given(VALUES, st.integers(1, 5), st.sampled_from([None, 1]))
def test_a_long_name_is_found_however_the_text_is_cut(value: Any, slice_bytes: int, indent: int | None) -> None:
    text, longest = json.dumps(value, ensure_ascii=False, indent=indent).encode(), longest_name(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bounds, "SLICE_BYTES", slice_bytes)
        for maximum in (longest, longest - 1):
            found = exceeded_bound(text, max_values=1000, max_name_bytes=maximum) if maximum >= 0 else None
            assert found is (Bound.NAME if 0 <= maximum < longest else None)


@given(st.text("abc", max_size=40), st.integers(1, 6))
def test_what_matches_is_the_same_however_the_text_is_cut(text: str, slice_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bounds, "SLICE_BYTES", slice_bytes)
        pattern, body = re.compile(rb"ab{0,3}+c|cc"), text.encode()
        found = [match.span() for match in matches(pattern, body, longest=5)]
    assert found == [match.span() for match in pattern.finditer(body)]


def test_no_look_at_a_text_goes_far_beyond_a_slice() -> None:
    looks: list[int] = []

    class Pattern:
        def search(self, _text: bytes, start: int, end: int) -> None:
            looks.append(end - start)

    assert list(matches(Pattern(), bytes(10 * SLICE_BYTES), longest=100)) == []  # type: ignore[arg-type]
    assert (len(looks), max(looks)) == (10, SLICE_BYTES + 100)
