"""A route template of ASP.NET Core, `v1/{*path}` for example, and what it makes of a path.

Pure: it knows no function and no request. Literals match in any case, a closing slash is ignored, a missing optional
parameter or an empty catch-all is left out of the parameters.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dev.functions_host.constraints import Check, constraint

_PARAMETER = re.compile(
    r"(?P<stars>\*{0,2})(?P<name>[^:=?]+)(?P<constraints>(:[^:=?(]+(\(.*?\)(?=[:=?]|$))?)*)"
    r"(=(?P<default>[^?]*))?(?P<optional>\??)"
)


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    checks: tuple[Check, ...]
    optional: bool
    catch_all: bool
    default: str | None

    @property
    def may_be_absent(self) -> bool:
        return self.optional or self.catch_all or self.default is not None


@dataclass(frozen=True, slots=True)
class Segment:
    """What stands between two slashes: a pattern with one group for each of its parameters."""

    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]

    @property
    def may_be_absent(self) -> bool:
        """Only a parameter that stands alone may."""
        return self.pattern.groups == 1 == len(self.parameters) and self.parameters[0].may_be_absent


class RouteTemplate:
    """Compiled when it is made; ValueError says what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.text = text.strip("/")
        self._segments = tuple(_segment(one) for one in _split(self.text)) if self.text else ()

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters that `path`, already decoded, gives, or None."""
        rest = path.removeprefix("/")
        values: dict[str, str] = {}
        for segment in self._segments:
            if segment.parameters and segment.parameters[-1].catch_all:
                return values if _take(segment, rest, values) else None
            piece, _, rest = rest.partition("/")
            if not _take(segment, piece, values):
                return None
        return None if rest else values


def _take(segment: Segment, piece: str, values: dict[str, str]) -> bool:
    if not piece and segment.may_be_absent:
        if (default := segment.parameters[0].default) is not None:
            values[segment.parameters[0].name] = default
        return True
    found = segment.pattern.fullmatch(piece)
    if found is None:
        return False
    new = {one.name: value for one, value in zip(segment.parameters, found.groups(), strict=True)}
    values |= new
    return _satisfied(segment.parameters, new)


def _satisfied(parameters: Sequence[Parameter], values: Mapping[str, str]) -> bool:
    return all(check(values[one.name]) for one in parameters for check in one.checks)


def _split(text: str) -> list[str]:
    """At slashes outside of braces."""
    return _cut(text, "/")


def _cut(text: str, separator: str) -> list[str]:
    pieces, depth = [""], 0
    for character in text:
        depth += (character == "{") - (character == "}")
        if character == separator and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    if depth:
        raise ValueError(f"the braces of {text!r} don't match")
    return pieces


def _segment(text: str) -> Segment:
    pattern, parameters, position = "", [], 0
    while position < len(text):
        if text[position] == "{":
            end = _closing(text, position)
            parameter = _parameter(text[position + 1 : end])
            pattern += "(.*)" if parameter.catch_all else "([^/]+)"
            parameters.append(parameter)
            position = end + 1
        else:
            pattern += re.escape(text[position])
            position += 1
    return Segment(re.compile(pattern, re.IGNORECASE | re.DOTALL), tuple(parameters))


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += (text[position] == "{") - (text[position] == "}")
        if depth == 0:
            return position
    raise ValueError(f"the braces of {text!r} don't match")


def _parameter(text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if found is None:
        raise ValueError(f"{{{text}}} is not a parameter")
    checks = tuple(constraint(one) for one in _constraints(found["constraints"]))
    return Parameter(found["name"], checks, bool(found["optional"]), bool(found["stars"]), found["default"])


def _constraints(text: str) -> list[str]:
    """At colons outside of brackets."""
    pieces: list[str] = []
    depth = 0
    for character in text:
        if character == ":" and depth == 0:
            pieces.append("")
            continue
        depth += (character == "(") - (character == ")")
        pieces[-1] += character
    return pieces
