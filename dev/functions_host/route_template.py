"""A route template of ASP.NET Core, `v1/{*path}` for example, and what it makes of a path.

Pure: it knows no function and no request. Literals match in any case, a closing slash is ignored, a missing optional
parameter or an empty catch-all is left out of the parameters. An empty segment matches nothing, not even the first one of a
catch-all: `/v1//b` does not match `v1/{*path}`, and what begins with `//` matches no template.
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
    """The part of a template between two slashes: a pattern with one group for each of its parameters."""

    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]

    @property
    def may_be_absent(self) -> bool:
        """Whether it is one parameter that may be absent, and nothing else."""
        return self.pattern.groups == 1 == len(self.parameters) and self.parameters[0].may_be_absent


class RouteTemplate:
    """Compiled when it is made; raises ValueError with what is invalid."""

    def __init__(self, text: str) -> None:
        self.text = text.strip("/")
        self._segments = tuple(_segment(one) for one in _split(self.text)) if self.text else ()

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters that `path`, already decoded, gives, or None where it does not match."""
        rest: str | None = path.removeprefix("/") or None
        values: dict[str, str] = {}
        for segment in self._segments:
            catch_all = bool(segment.parameters) and segment.parameters[-1].catch_all
            piece, slash, after = (rest or "").partition("/")
            if rest is not None and not piece:
                return None
            if catch_all:
                return values if _take(segment, rest or "", values) else None
            if not _take(segment, piece, values):
                return None
            # The path's closing slash is no segment.
            rest = after if slash and after else None
        return None if rest is not None else values


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
    """Split at slashes outside of braces."""
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
    """Split at colons outside of brackets."""
    pieces: list[str] = []
    depth = 0
    for character in text:
        if character == ":" and depth == 0:
            pieces.append("")
            continue
        depth += (character == "(") - (character == ")")
        pieces[-1] += character
    return pieces
