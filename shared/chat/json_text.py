"""Text as JSON spells it: not decoded where nothing reads it, for Python may hold four bytes for each byte of it.

One character beyond U+FFFF makes a string of 16 MiB one of 64 MiB. A caller's words are checked, put together and sent on as
the JSON that they came in.
"""

import re
from collections.abc import Iterable
from typing import Self

import msgspec

from shared.json_bounds import SLICE_BYTES

_QUOTE = b'"'
_BLANKS = re.compile(
    rb"(?: |\\[tnrf]|\\u(?:00(?:09|0[a-dA-D]|1[c-fC-F]|20|85|[aA]0)|1680|20(?:0[0-9aA]|2[89fF]|5[fF])|3000)|"
    rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80){1,65536}+"
)
"""What `str.isspace` is true for, as JSON may spell it; a bounded run, between two of which other threads run."""
_WIDE_ESCAPE = re.compile(rb"\\u(?!00[0-7])")
_ESCAPE_BYTES = 6


class JsonText:
    """One JSON string. Equal to another that says the same."""

    __slots__ = ("literal",)

    def __init__(self, literal: msgspec.Raw) -> None:
        """Take the literal, quotation marks included. It is valid JSON and says no lone surrogate."""
        self.literal = literal
        """For a body that is encoded with `msgspec`."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the JSON of a text."""
        return cls(msgspec.Raw(msgspec.json.encode(text)))

    @classmethod
    def joined(cls, texts: "Iterable[JsonText]") -> "JsonText":
        """Return the texts one after the other; an empty one where there is none."""
        listed = list(texts)
        if len(listed) == 1:
            return listed[0]
        inner = b"".join([memoryview(text.literal)[1:-1] for text in listed])
        return cls(msgspec.Raw(_QUOTE + inner + _QUOTE))

    @property
    def is_blank(self) -> bool:
        """Whether it is empty or white space."""
        view = memoryview(self.literal)
        at, end = 1, len(view) - 1
        while at < end:
            blanks = _BLANKS.match(view, at, end)
            if blanks is None:
                return False
            at = blanks.end()
        return True

    def __str__(self) -> str:
        """Return the text."""
        return msgspec.json.decode(self.literal, type=str)

    def __repr__(self) -> str:
        """Return the text's JSON, for tests: nothing logs it."""
        return f"JsonText({bytes(self.literal)!r})"

    def __eq__(self, other: object) -> bool:
        """Compare what they say."""
        return isinstance(other, JsonText) and str(self) == str(other)

    def __hash__(self) -> int:
        """Return the text's hash."""
        return hash(str(self))


def is_text(value: msgspec.Raw) -> bool:
    """Return whether a JSON value is a string."""
    return bytes(memoryview(value)[:1]) == _QUOTE


def is_wide(value: msgspec.Raw) -> bool:
    """Return whether a JSON string may say a character outside ASCII, so that it may take four times its size in memory."""
    view = memoryview(value)
    for start in range(0, len(view), SLICE_BYTES):
        piece = bytes(view[start : start + SLICE_BYTES + _ESCAPE_BYTES])
        escape = _WIDE_ESCAPE.search(piece) if b"\\u" in piece else None
        if not piece.isascii() or (escape is not None and escape.start() < SLICE_BYTES):
            return True
    return False
