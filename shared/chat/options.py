"""The options that every request schema of the chat API takes next to its own fields, as one table."""

from typing import Any

import msgspec

from shared.chat.fields import Reader, check_known, integer, invalid, number, one_of, read_flag, read_text, value_of

REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
MAX_STOPS = 4


def read_options(fields: dict[str, msgspec.Raw], *, other: tuple[str, ...]) -> dict[str, Any]:
    """Return the options that are given, by the names that `ChatRequest` has for them. Raise `BadRequest`.

    `other` are the fields that the schema has in addition; any field that is neither is an error. Null counts as not given.
    """
    check_known(fields, (*other, *_OPTIONS))
    given = {name: value_of(fields, name) for name in _OPTIONS if name in fields}
    return {name: _OPTIONS[name](name, value) for name, value in given.items() if value is not None}


def read_option(option: str, name: str, value: Any) -> Any:
    """Return the value of one option that the request calls `name`. Raise `BadRequest`."""
    return _OPTIONS[option](name, value)


def _stops(name: str, value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not 1 <= len(stops) <= MAX_STOPS:
        raise invalid(name, f"text, or a list of 1 to {MAX_STOPS} texts")
    if not all(isinstance(stop, str) and stop for stop in stops):
        raise invalid(name, "texts that are not empty")
    return tuple(stops)


_OPTIONS: dict[str, Reader[Any]] = {
    "model": read_text,
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "max_output_tokens": integer(1, 10_000_000),
    "reasoning_effort": one_of(REASONING_EFFORTS),
    "stop": _stops,
    "seed": integer(-(2**63), 2**63 - 1),
    "stream": read_flag,
    "retrieval": read_flag,
    "resume": read_flag,
}
