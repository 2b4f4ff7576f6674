"""The inline constraints of a route template, `{id:int}` and the like, as ASP.NET Core's routing defines them.

https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-constraints
"""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

type Check = Callable[[str], bool]

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")
_GUID = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}|\([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\)",
    re.IGNORECASE,
)


def constraint(text: str) -> Check:
    """Return the check for a text such as `int` or `range(1,9)`; raise ValueError where there is none."""
    name, bracket, arguments = text.partition("(")
    if bracket and not arguments.endswith(")"):
        raise ValueError(f"the constraint {text!r} is not closed")
    maker = _CONSTRAINTS.get(name.lower())
    if maker is None:
        raise ValueError(f"there is no constraint {name!r}")
    try:
        if name.lower() == "regex":
            return maker(arguments[:-1])
        return maker(*(one.strip() for one in arguments[:-1].split(",")) if bracket else ())
    except TypeError as error:
        raise ValueError(f"the constraint {text!r} has another number of arguments") from error


def _integer(bits: int) -> Callable[[], Check]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return lambda: lambda value: _INTEGER.fullmatch(value) is not None and low <= int(value) <= high


def _parsed(parse: Callable[[str], object]) -> Callable[[], Check]:
    def check(value: str) -> bool:
        try:
            parse(value)
        except (ValueError, InvalidOperation):
            return False
        return True

    return lambda: check


def _number(value: str, test: Callable[[int], bool]) -> bool:
    return _INTEGER.fullmatch(value) is not None and test(int(value))


def _length(low: str, high: str | None = None) -> Check:
    minimum, maximum = int(low), int(high if high is not None else low)
    return lambda value: minimum <= len(value) <= maximum


def _minimum_length(low: str) -> Check:
    minimum = int(low)
    return lambda value: len(value) >= minimum


def _maximum_length(high: str) -> Check:
    maximum = int(high)
    return lambda value: len(value) <= maximum


def _minimum(low: str) -> Check:
    minimum = int(low)
    return lambda value: _number(value, lambda number: number >= minimum)


def _maximum(high: str) -> Check:
    maximum = int(high)
    return lambda value: _number(value, lambda number: number <= maximum)


def _range(low: str, high: str) -> Check:
    minimum, maximum = int(low), int(high)
    return lambda value: _number(value, lambda number: minimum <= number <= maximum)


def _regex(pattern: str) -> Check:
    expression = re.compile(pattern.replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
    return lambda value: expression.search(value) is not None


def _matching(pattern: str) -> Callable[[], Check]:
    expression = re.compile(pattern, re.IGNORECASE)
    return lambda: lambda value: expression.fullmatch(value) is not None


_CONSTRAINTS: dict[str, Callable[..., Check]] = {
    "int": _integer(32),
    "long": _integer(64),
    "bool": _matching("true|false"),
    "decimal": _parsed(Decimal),
    "double": _parsed(float),
    "float": _parsed(float),
    "guid": lambda: lambda value: _GUID.fullmatch(value) is not None,
    "alpha": _matching("[a-z]*"),
    "required": lambda: lambda value: value != "",
    "length": _length,
    "minlength": _minimum_length,
    "maxlength": _maximum_length,
    "min": _minimum,
    "max": _maximum,
    "range": _range,
    "regex": _regex,
}
