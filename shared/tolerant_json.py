"""JSON that RFC 8259 allows and msgspec rejects: lone surrogates, and numbers beyond the range of a double.

Section 8.2 of RFC 8259 allows `"\\ud800"` and leaves open what a reader makes of it; section 6 sets no limit to a number.
"""

import json
import re
from typing import Any

_LONE_ESCAPE = re.compile(
    rb"\\(u[dD](?:"
    # a high surrogate that no low one follows
    rb"[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|"
    # a low surrogate that no high one precedes
    rb"[c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})))"
)
"""The escape of a lone surrogate, in text where every backslash begins an escape."""
_LONE_BYTES = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
"""A surrogate encoded as if it were a character, which is not valid UTF-8."""


def mark_lone_surrogates(data: bytes, mark: bytes) -> bytes:
    r"""Return the JSON text with the backslash of each lone surrogate's escape (`\ud800`) replaced by the mark.

    `mark` must not occur in the text; what is in its place can then be put back. Linear, and no step for any other escape:
    a body may consist of millions of them. Where the text is not valid JSON, the result is not either.
    """
    return _substitute(data, mark + rb"\1")


def loads(data: bytes) -> Any:
    """Return the value of JSON text; lone surrogates become U+FFFD, a number beyond all range an infinite float.

    NaN and Infinity count as numbers. Raise `ValueError` for what is not JSON in UTF-8, `RecursionError` for what is nested
    too deeply.
    """
    if b"\xed" in data:
        data = _LONE_BYTES.sub(b"\xef\xbf\xbd", data)
    text = _substitute(data, rb"\\ufffd").decode()
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of more digits than Python converts: that takes time in their square
        return json.loads(text, parse_int=_integer)


def _substitute(data: bytes, template: bytes) -> bytes:
    if (b"\\ud" not in data and b"\\uD" not in data) or b"\0" in data:  # JSON has no NUL
        return data
    # An escaped backslash begins no escape of its own: all of them step aside first.
    return _LONE_ESCAPE.sub(template, data.replace(rb"\\", b"\0\0")).replace(b"\0\0", rb"\\")


def _integer(digits: str) -> int | float:
    try:
        return int(digits)
    except ValueError:
        return float(digits)
