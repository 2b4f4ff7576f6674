"""How many values JSON text holds, before anything is made of it: slice by slice, so that no step takes more than some ms.

A body within MAX_REQUEST_BYTES can hold millions of values of three bytes, each of which becomes an object of sixty.
"""

from collections.abc import Iterator

SLICE_BYTES = 128 * 1024
"""What is looked at in one step. Python's other threads run between two steps."""


def has_more_values(text: bytes, maximum: int) -> bool:
    """Return whether the text holds more values than this, names of fields not counted. Exact where it is JSON.

    Each comma outside a string begins a value, and so does each bracket that opens.
    """
    count, is_inside = 1, False
    for piece in _without_escapes(text):
        parts = piece.split(b'"')
        outside = b"".join(parts[is_inside::2])
        is_inside ^= len(parts) % 2 == 0
        count += outside.count(b",") + outside.count(b"[") + outside.count(b"{")
        if count > maximum:
            return True
    return False


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
