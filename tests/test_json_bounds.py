"""How many values JSON text holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import json_bounds
from shared.json_bounds import SLICE_BYTES, has_more_values

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


@given(VALUES, st.integers(1, 5))
def test_the_bound_is_exact_however_the_text_is_cut(value: Any, slice_bytes: int) -> None:
    text, expected = json.dumps(value, ensure_ascii=False).encode(), 1 + count(value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_bounds, "SLICE_BYTES", slice_bytes)
        assert not has_more_values(text, expected)
        assert has_more_values(text, expected - 1)


@pytest.mark.parametrize("escapes", [b"\\\\", b'\\"', b"\\n"])
@pytest.mark.parametrize("shift", [0, 1])
def test_an_escape_that_is_cut_in_two_does_not_end_a_string(escapes: bytes, shift: int) -> None:
    text = b'["' + b"x" * shift + escapes * SLICE_BYTES + b',[,["]'
    assert not has_more_values(text, 2)
