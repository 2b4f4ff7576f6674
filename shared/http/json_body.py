"""The bytes of a request's body -> a JSON object, or a 4xx. Lone surrogates become U+FFFD, as in a browser's text."""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.errors import InvalidJson, UnsupportedMediaType
from shared.surrogates import no_constant

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
"""US-ASCII is UTF-8 too. Any other parameter of application/json means nothing (RFC 8259 section 11)."""
_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)
"""Every escape of JSON, a pair of surrogates as one."""


def check_content_headers(headers: Mapping[str, str]) -> None:
    """Raises `UnsupportedMediaType` unless the request's body is JSON in UTF-8, not compressed."""
    _check_content_type(headers.get("content-type", ""))
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("A compressed body is not supported; send the JSON without Content-Encoding.")


def _check_content_type(content_type: str) -> None:
    media_type, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    named = (parameter.partition("=") for parameter in parameters)
    charsets = {value.strip().strip('"') for name, _, value in named if name.strip() == "charset"}
    if media_type != "application/json" or not charsets <= _CHARSETS:
        raise UnsupportedMediaType("The Content-Type is not supported; expected application/json in UTF-8.")


def parse_object(body: bytes) -> dict[str, Any]:
    """Reads a JSON object. Raises `InvalidJson`."""
    if not body.strip():
        raise InvalidJson("The body is empty; expected a JSON object.")
    try:
        value = msgspec.json.decode(body)
    except RecursionError:
        raise InvalidJson("The JSON is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        value = _second_look(body)
    if not isinstance(value, dict):
        raise InvalidJson('The body is JSON, but not an object; expected an object such as {"input": "hello"}.')
    return value


def _second_look(body: bytes) -> Any:
    """What msgspec refuses is either no JSON, or has lone surrogates or huge numbers, which RFC 8259 allows."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidJson("The body is not valid UTF-8.") from None
    try:
        return _loads(_ESCAPES.sub(_without_lone_surrogate, text))
    except RecursionError:
        raise InvalidJson("The JSON is nested too deeply.") from None
    except ValueError:
        raise InvalidJson("The body is not valid JSON.") from None


def _without_lone_surrogate(escape: re.Match[str]) -> str:
    """In the text and not in the value: walking through millions of values would hold up every stream for seconds."""
    return escape[0] if escape["lone"] is None else "\\ufffd"


def _loads(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=no_constant)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a number of more digits than Python reads, or NaN
        return json.loads(text, parse_constant=no_constant, parse_int=_whole_number)


def _whole_number(digits: str) -> int | float:
    """No field takes a number of more than some thousand digits: it is as good as infinite."""
    try:
        return int(digits)
    except ValueError:
        return float(digits)
