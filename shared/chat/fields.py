"""One field of a request: each reader returns its value, or raises a `BadRequest` that says what is allowed there."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.errors import BadRequest

MAX_SHOWN_CHARACTERS = 128
"""Of a field's name that the caller made up, in an error."""

type Reader[T] = Callable[[str, Any], T]
"""A function of a field's name and its JSON value. Raises `BadRequest`."""


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


def read_object(name: str, value: Any, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return an object that has no other fields than those allowed. Raise `BadRequest`."""
    if not isinstance(value, dict):
        raise invalid(name, "an object with " + ", ".join(allowed))
    check_known(value, allowed, where=f"{name}.")
    return value


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
