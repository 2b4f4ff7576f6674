"""What JSON text holds, before anything is made of it: slice by slice, so that no step takes more than some ms.

A body within MAX_REQUEST_BYTES can hold millions of values of three bytes, each of which becomes an object of sixty, and a
name that takes four times its size once it is Python's.
"""

import re
from collections.abc import Iterator
from enum import Enum

SLICE_BYTES = 128 * 1024
"""What is looked at in one step. Python's other threads run between two steps."""
_WHITE_SPACE = b" \t\r\n"


class Bound(Enum):
    """A bound that JSON text may exceed."""

    VALUES = "values"
    """How many values it holds."""
    NAME = "name"
    """How long a field's name is, as it is spelled, escaped quotation marks and backslashes not counted."""


def exceeded_bound(text: bytes, *, max_values: int, max_name_bytes: int) -> Bound | None:
    """Return a bound that the text exceeds, if any. Exact where it is JSON.

    Each comma outside a string begins a value, and so does each bracket that opens. Names of fields are no values.
    """
    count, is_inside, names = 1, False, _LongNames(max_name_bytes)
    for piece in _without_escapes(text):
        parts = piece.split(b'"')
        outside = b"".join(parts[is_inside::2])
        count += outside.count(b",") + outside.count(b"[") + outside.count(b"{")
        if count > max_values:
            return Bound.VALUES
        if names.has_one(parts, is_inside=is_inside):
            return Bound.NAME
        is_inside ^= len(parts) % 2 == 0
    return None


def matches(pattern: re.Pattern[bytes], text: bytes, *, longest: int) -> Iterator[re.Match[bytes]]:
    """Yield the matches of a pattern one after the other. None may be longer than `longest` bytes."""
    at = 0
    while at < len(text):
        end = at + SLICE_BYTES
        found = pattern.search(text, at, end + longest)
        if found is not None and found.start() < end:
            yield found
            at = found.end()
        else:
            at = end


class _LongNames:
    """Finds long strings that a colon follows."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._length = 0
        """Of the string that the last slice ended in."""
        self._is_last_long = False
        """Whether the last string was a long one, with nothing but white space after it so far."""

    def has_one(self, parts: list[bytes], *, is_inside: bool) -> bool:
        """Return whether a slice completes one. `parts`: what its quotation marks separate; the first may be inside."""
        strings = range(not is_inside, len(parts), 2)
        longest = max(map(len, parts[strings.start :: 2]), default=0) + (self._length if is_inside else 0)
        if not self._is_last_long and longest <= self._maximum:
            self._length = self._open_length(parts, is_inside=is_inside)
            return False
        for at, part in enumerate(parts):
            if at in strings:
                length = len(part) + (self._length if at == 0 else 0)
                self._is_last_long = length > self._maximum
            elif self._is_last_long and (follows := part.lstrip(_WHITE_SPACE)):
                if follows.startswith(b":"):
                    return True
                self._is_last_long = False
        self._length = self._open_length(parts, is_inside=is_inside)
        return False

    def _open_length(self, parts: list[bytes], *, is_inside: bool) -> int:
        """Return the length so far of the string that the slice ends in; 0 where it ends outside one."""
        if (len(parts) % 2 == 1) is not is_inside:
            return 0
        return len(parts[-1]) + (self._length if len(parts) == 1 else 0)


def _without_escapes(text: bytes) -> Iterator[bytes]:
    """Yield the text in slices, without the escapes that matter for where a string ends."""
    held = b""
    for start in range(0, len(text), SLICE_BYTES):
        piece = held + text[start : start + SLICE_BYTES]
        held = b""
        if b"\\" in piece:
            piece = piece.replace(rb"\\", b"")
            if piece.endswith(b"\\"):
                piece, held = piece[:-1], b"\\"
            piece = piece.replace(rb"\"", b"")
        yield piece
