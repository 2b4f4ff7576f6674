"""One frame's JSON -> a struct, strictly where that works and leniently where it does not; and what a frame can mean."""

from collections.abc import Callable
from enum import Enum
from typing import Any

import msgspec

from shared.errors import UpstreamMalformed
from shared.tolerant_json import loads

NO_EXPLANATION = "The upstream ended the answer without an explanation."


class FrameKind(Enum):
    """What a frame means for the life of the stream."""

    PREAMBLE = "preamble"
    CONTENT = "content"
    ENDING = "ending"
    """Content that is no more of the same text: it ends a choice or an item, or begins one."""
    USAGE_ONLY = "usage"
    TERMINAL = "terminal"
    CUT = "cut"
    """The upstream says that it will send no more, though the model has not ended the answer."""
    FAILURE_ANNOUNCED = "failure_announced"
    """The answer has failed; what explains it may come with the next frame."""
    FAILURE = "failure"
    """The answer has failed, and no explanation will follow."""


def frame_decoder[T](kind: type[T], read: Callable[[dict[str, Any]], T]) -> Callable[[bytes], T]:
    """Return a function that decodes as much of a frame's data as the struct asks for. It raises `UpstreamMalformed`.

    `read` makes the same struct from the frame's fields where a field has another type than documented, or text contains a
    lone surrogate, as it may when a character is split between two events. It raises `ValueError` for what has no such shape.
    """
    decode = msgspec.json.Decoder(kind).decode

    def decode_frame(data: bytes) -> T:
        try:
            return decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        try:
            return read(fields_of(loads(data)))
        except (ValueError, RecursionError) as error:
            raise UpstreamMalformed("The upstream sent an event that is not valid JSON.") from error

    return decode_frame


def fields_of(value: Any) -> dict[str, Any]:
    """Return an object's fields. Raise `ValueError` for any other value."""
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def items_of(value: Any) -> list[dict[str, Any]]:
    """Return a list's objects; none where the field is null. Raise `ValueError` for any other value.

    A list is what the model says: passing over one that cannot be read would lose text without a sign.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError("not a list")
    return [fields_of(item) for item in value]


def object_or_none(value: Any) -> dict[str, Any] | None:
    """Return an object's fields, or None for any other value."""
    return value if isinstance(value, dict) else None


def string_or_none(value: Any) -> str | None:
    """Return a string, or None for any other value."""
    return value if isinstance(value, str) else None


def integer_or_none(value: Any) -> int | None:
    """Return an integer, or None for any other value, true and false included."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text_of(value: Any) -> str:
    """Return the text, wherever a model puts it: a string, or (Mistral and others) a list of parts with `text`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(text_of(part.get("text")) for part in value if isinstance(part, dict))
    return ""
