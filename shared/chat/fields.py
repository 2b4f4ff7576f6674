"""One field of a request: each reader returns its value, or raises a `BadRequest` that says what is allowed there."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from shared.chat.json_text import JsonText, is_text
from shared.errors import BadRequest
from shared.http.json_body import decode_fields, decode_value

MAX_SHOWN_CHARACTERS = 128
"""Of a field's name that the caller made up, in an error."""

MAX_VALUE_BYTES = 64 * 1024
"""Of the JSON of a value that is read as a whole, which texts are not."""

type Fields = dict[str, msgspec.Raw]
"""The fields of a JSON object, each value as the caller spelled it."""
type Reader[T] = Callable[[str, Any], T]
"""A function of a field's name and its JSON value. Raises `BadRequest`."""
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_NULL = msgspec.Raw(b"null")
_TOO_LARGE = object()
"""A value that no reader takes."""


def invalid(name: str, allowed: str) -> BadRequest:
    """Return the error of a field whose value is not allowed."""
    return BadRequest(f"{name!r} is not valid; expected {allowed}.", param=name)


def check_known(names: Iterable[str], allowed: tuple[str, ...], *, where: str = "") -> None:
    """Raise `BadRequest` for the first name that is not allowed. `where` is what the field is in, such as `messages[0].`."""
    for name in names:
        if name not in allowed:
            field = where + name
            shown = field if len(field) <= MAX_SHOWN_CHARACTERS else field[:MAX_SHOWN_CHARACTERS] + "…"
            raise BadRequest(f"Unknown field {shown!r}; allowed are {', '.join(allowed)}.", param=shown)


def list_of(value: msgspec.Raw) -> list[msgspec.Raw] | None:
    """Return the items of a list; None where it is none."""
    try:
        return _LIST.decode(value)
    except msgspec.DecodeError:
        return None


def object_of(value: msgspec.Raw) -> Fields | None:
    """Return the fields of an object; None where it is none. Raise `BadRequest` for too many."""
    try:
        return decode_fields(value)
    except msgspec.DecodeError:
        return None


def read_object(name: str, value: msgspec.Raw, allowed: tuple[str, ...], *, ignored: tuple[str, ...] = ()) -> Fields:
    """Return an object that has no other fields than those allowed, and those ignored. Raise `BadRequest`."""
    fields = object_of(value)
    if fields is None:
        raise invalid(name, "an object with " + ", ".join(allowed))
    check_known((field for field in fields if field not in ignored), allowed, where=f"{name}.")
    return fields


def value_of(fields: Fields, name: str) -> Any:
    """Return the Python value of a field that is read as a whole, None where it is missing.

    What is larger than `MAX_VALUE_BYTES` becomes a value that no reader takes.
    """
    value = fields.get(name, _NULL)
    return decode_value(value) if len(value) <= MAX_VALUE_BYTES else _TOO_LARGE


def text_of(fields: Fields, name: str) -> JsonText | None:
    """Return a text, blank or not; None where it is missing, or none."""
    value = fields.get(name, _NULL)
    return JsonText(value) if is_text(value) else None


def read_filled_text(fields: Fields, name: str) -> JsonText:
    """Return a text that is more than white space, however large. Raise `BadRequest`."""
    text = text_of(fields, name)
    if text is None or text.is_blank:
        raise invalid(name, "text that is not empty")
    return text


def read_text(name: str, value: Any) -> str:
    """Return text that is more than white space. Raise `BadRequest`."""
    if not isinstance(value, str) or not value.strip():
        raise invalid(name, "text that is not empty")
    return value


def read_flag(name: str, value: Any) -> bool:
    """Return true or false. Raise `BadRequest`."""
    if not isinstance(value, bool):
        raise invalid(name, "true or false")
    return value


def number(minimum: float, maximum: float) -> Reader[float]:
    """Return a reader of numbers within these bounds, both included."""

    def read(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not minimum <= value <= maximum:
            raise invalid(name, f"a number from {minimum:g} to {maximum:g}")
        return value

    return read


def integer(minimum: int, maximum: int) -> Reader[int]:
    """Return a reader of integers within these bounds, both included."""

    def read(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not minimum <= value <= maximum:
            raise invalid(name, f"an integer from {minimum} to {maximum}")
        return value

    return read


def one_of(allowed: tuple[str, ...]) -> Reader[str]:
    """Return a reader of these words."""

    def read(name: str, value: Any) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise invalid(name, "one of " + ", ".join(allowed))
        return value

    return read
