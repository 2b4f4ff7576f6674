"""JSON that RFC 8259 allows and strict readers refuse: lone surrogates, and what is no constant of JSON."""

from typing import Any, NoReturn


def no_constant(_name: str) -> NoReturn:
    """For `json.loads`: NaN and Infinity are not JSON."""
    raise ValueError("not JSON")


def replace_surrogates(value: Any) -> Any:
    """The JSON value with every lone surrogate in its texts replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {replace_surrogates(key): replace_surrogates(item) for key, item in value.items()}
    return value
