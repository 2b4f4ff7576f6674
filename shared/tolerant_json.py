"""JSON that RFC 8259 allows and msgspec rejects: lone surrogates, and numbers beyond the range of a double.

Section 8.2 of RFC 8259 allows `"\\ud800"` and leaves open what a reader makes of it; section 6 sets no limit to a number.
"""

import json
import re
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

import msgspec

_LONE_ESCAPE = re.compile(
    # a high surrogate that no low one follows
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|"
    # a low surrogate that no high one precedes
    rb"[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)
_UNFINISHED_ESCAPE = re.compile(rb"\\u[dD](?![0-9a-fA-F]{3})")
"""Both are for text where every backslash begins an escape."""
_STEP = re.compile(
    rb"(?:[^\\]++|"
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|"  # a pair
    rb"\\u[^\\\"]{0,4}+|\\[^u]){1,4096}+",
    re.DOTALL,
)
"""As much text as one step looks at, in whole escapes: a body may consist of millions of them, and Python's other threads run
between two steps."""
_LONE_BYTES = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""A surrogate encoded as if it were a character, which is not valid UTF-8."""


MARK = b"\x7f"
"""Stands for a backslash: one byte that is no hex digit, is no JSON outside a string and may stand in one."""


def mark_surrogates(data: bytes) -> bytearray | None:
    r"""Return a copy of the JSON text with `MARK` for the backslash of each surrogate's escape, `\ud800` to `\udfff`.

    None where nothing is to be marked. The copy has the same length: written over with the original, it is that again.
    Nothing becomes JSON that was not. Others that begin with `\ud` are marked too. Linear.
    """
    return _rewritten(data, _marked)


def replace_lone_surrogates(data: bytes) -> bytearray | None:
    r"""Return a copy of the JSON text, of the same length, with `\ufffd` for each lone surrogate's escape; None as above."""
    return _rewritten(data, _without_lone_escapes)


def _rewritten(data: bytes, rewrite: Callable[[bytes], bytes]) -> bytearray | None:
    """Rewrite a copy in steps, in its place: no more than two texts of this length are there at any time."""
    if not _may_have_surrogates(data):
        return None
    copy, start = bytearray(data), 0
    for piece in _steps(data):
        if _UNFINISHED_ESCAPE.search(piece.replace(rb"\\", b"\0\0")):
            return None
        copy[start : start + len(piece)] = rewrite(piece)
        start += len(piece)
    return copy


def _marked(piece: bytes) -> bytes:
    neutral = piece.replace(rb"\\", b"\0\0")  # an escaped backslash begins no escape of its own
    neutral = neutral.replace(rb"\ud", MARK + b"ud").replace(rb"\uD", MARK + b"uD")
    return neutral.replace(b"\0\0", rb"\\")


def loads(data: bytes) -> Any:
    """Return the value of JSON text; lone surrogates become U+FFFD, a number beyond all range an infinite float.

    NaN and Infinity count as numbers. Raise `ValueError` for what is not JSON in UTF-8, `RecursionError` for what is nested
    too deeply.
    """
    if b"\xed" in data:
        data = _LONE_BYTES.sub(b"\xef\xbf\xbd", data)
    if _may_have_surrogates(data):
        data = b"".join(map(_without_lone_escapes, _steps(data)))
        try:
            return msgspec.json.decode(data)  # much faster where there are many escapes
        except msgspec.DecodeError:
            pass
    text = data.decode()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of more digits than Python converts: that takes time in their square
        return json.loads(text, parse_int=_integer)


def _steps(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        match = _STEP.match(data, start)
        end = match.end() if match else len(data)  # a backslash at the very end
        yield data[start:end]
        start = end


def _without_lone_escapes(piece: bytes) -> bytes:
    return _LONE_ESCAPE.sub(rb"\\ufffd", piece.replace(rb"\\", b"\0\0")).replace(b"\0\0", rb"\\")


def _may_have_surrogates(data: bytes) -> bool:
    return (b"\\ud" in data or b"\\uD" in data) and b"\0" not in data  # JSON has no NUL


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:  # more than 4300 digits, and the largest double has 309
        return -inf if digits.startswith("-") else inf
