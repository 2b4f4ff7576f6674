"""JSON that RFC 8259 allows and msgspec rejects: lone surrogates, and numbers beyond the range of a double.

Section 8.2 of RFC 8259 allows `"\\ud800"` and leaves open what a reader makes of it; section 6 sets no limit to a number.
"""

import json
import re
from typing import Any

_LONE_ESCAPE = re.compile(
    # a high surrogate that no low one follows
    rb"\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|"
    # a low surrogate that no high one precedes
    rb"[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}))"
)
_UNFINISHED_ESCAPE = re.compile(rb"\\u[dD](?![0-9a-fA-F]{3})")
"""Both are for text where every backslash begins an escape."""
_LONE_BYTES = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""A surrogate encoded as if it were a character, which is not valid UTF-8."""


def mark_surrogates(data: bytes, mark: bytes) -> bytes:
    r"""Return the JSON text with the backslash of each surrogate's escape, `\ud800` to `\udfff`, replaced by the mark.

    `mark` must not occur in the text, so that a backslash can be put back in its place, and must begin with a letter that is
    no hex digit, so that nothing becomes JSON that was not. Others that begin with `\ud` are marked too. Linear, and in a few
    steps: a body may consist of millions of escapes.
    """
    if not _may_have_surrogates(data):
        return data
    neutral = data.replace(rb"\\", b"\0\0")  # an escaped backslash begins no escape of its own
    if _UNFINISHED_ESCAPE.search(neutral):
        return data
    marked = neutral.replace(rb"\ud", mark + b"ud").replace(rb"\uD", mark + b"uD")
    return marked.replace(b"\0\0", rb"\\")


def loads(data: bytes) -> Any:
    """Return the value of JSON text; lone surrogates become U+FFFD, a number beyond all range an infinite float.

    NaN and Infinity count as numbers. Raise `ValueError` for what is not JSON in UTF-8, `RecursionError` for what is nested
    too deeply.
    """
    if b"\xed" in data:
        data = _LONE_BYTES.sub(b"\xef\xbf\xbd", data)
    if _may_have_surrogates(data):
        data = _LONE_ESCAPE.sub(rb"\\ufffd", data.replace(rb"\\", b"\0\0")).replace(b"\0\0", rb"\\")
    text = data.decode()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of more digits than Python converts: that takes time in their square
        return json.loads(text, parse_int=_integer)


def _may_have_surrogates(data: bytes) -> bool:
    return (b"\\ud" in data or b"\\uD" in data) and b"\0" not in data  # JSON has no NUL


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)
