"""JSON that RFC 8259 allows and msgspec rejects: lone surrogates, and numbers beyond the range of a double.

Section 8.2 of RFC 8259 allows `"\\ud800"` and leaves open what a reader makes of it; section 6 sets no limit to a number.
"""

import json
import re
from collections.abc import Iterator
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


def mark_surrogates(data: bytes, mark: bytes) -> bytes:
    r"""Return the JSON text with the backslash of each surrogate's escape, `\ud800` to `\udfff`, replaced by the mark.

    `mark` must not occur in the text, so that a backslash can be put back in its place, and must begin with a character that
    is no hex digit, so that nothing becomes JSON that was not. Others that begin with `\ud` are marked too. Linear.
    """
    if not _may_have_surrogates(data):
        return data
    marked: list[bytes] = []
    for piece in _steps(data):
        neutral = piece.replace(rb"\\", b"\0\0")  # an escaped backslash begins no escape of its own
        if _UNFINISHED_ESCAPE.search(neutral):
            return data
        neutral = neutral.replace(rb"\ud", mark + b"ud").replace(rb"\uD", mark + b"uD")
        marked.append(neutral.replace(b"\0\0", rb"\\"))
    return b"".join(marked)


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
