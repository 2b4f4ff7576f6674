"""The bytes of a request's body -> the fields of its JSON object, each as the bytes that the caller sent, or a 4xx."""

import re
from codecs import BOM_UTF8, getincrementaldecoder
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.errors import BadRequest, InvalidJson, UnsupportedMediaType
from shared.json_bounds import SLICE_BYTES, Bound, exceeded_bound
from shared.tolerant_json import MARK, loads, mark_surrogates, replace_lone_surrogates

MAX_FIELDS = 1024
"""How many top-level fields a body may have."""
MAX_VALUES = 1_000_000
"""How many values a body may hold where most of them only pass through. An embeddings request has up to 300,000 tokens."""
MAX_NAME_BYTES = 4096
"""Of any name in a large body: Python may hold four bytes for each of its bytes."""
MAX_NAME_CHARACTERS = 256
"""Of a top-level field's name in a large body: those are all held at once."""
SMALL_BODY_BYTES = 64 * 1024
"""Up to this size no body can hold up other streams, and none is looked at before it is decoded."""

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
"""US-ASCII is UTF-8 too. Any other parameter of application/json means nothing (RFC 8259 section 11)."""
type _Fields = dict[str, msgspec.Raw]
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MARKED_ESCAPE = re.compile(MARK.decode() + "u([0-9a-fA-F]{4})")
_TOO_DEEP = "The JSON is nested too deeply."


def check_content_headers(headers: Mapping[str, str]) -> None:
    """Raise `UnsupportedMediaType` unless the request's body is JSON in UTF-8, not compressed."""
    _check_content_type(headers.get("content-type", ""))
    check_content_encoding(headers)


def check_content_encoding(headers: Mapping[str, str]) -> None:
    """Raise `UnsupportedMediaType` where the request's body is compressed."""
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("A compressed body is not supported; send it without Content-Encoding.")


def _check_content_type(content_type: str) -> None:
    media_type, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    named = (parameter.partition("=") for parameter in parameters)
    charsets = {value.strip().strip('"') for name, _, value in named if name.strip() == "charset"}
    if media_type != "application/json" or not charsets <= _CHARSETS:
        raise UnsupportedMediaType("The Content-Type is not supported; expected application/json in UTF-8.")


def parse_fields(body: bytes, *, max_values: int = MAX_VALUES, keeps_surrogates: bool = True) -> dict[str, msgspec.Raw]:
    r"""Return the body's top-level fields, each value as it is spelled there. Raise `InvalidJson` or `BadRequest`.

    All of the body is checked to be JSON as RFC 8259 defines it. Of two fields with one name, the last counts. A body of more
    than `SMALL_BODY_BYTES` may hold at most `max_values` values, and names of at most `MAX_NAME_BYTES`.

    `keeps_surrogates`: lone ones stay in the values as they came; otherwise they are `\ufffd` there.
    """
    if not body or body.isspace():
        raise InvalidJson("The body is empty; expected a JSON object.")
    try:
        _check_utf8(body)  # msgspec does not check the UTF-8 of values that it leaves raw
    except UnicodeDecodeError:
        raise InvalidJson("The body is not valid UTF-8.") from None
    if len(body) > SMALL_BODY_BYTES:
        _check_bounds(body, max_values)
    fields = _parse(body.removeprefix(BOM_UTF8), keeps_surrogates=keeps_surrogates)
    if len(fields) > MAX_FIELDS:
        raise _too_many_fields()
    return fields


def _check_bounds(body: bytes, max_values: int) -> None:
    match exceeded_bound(body, max_values=max_values, max_name_bytes=MAX_NAME_BYTES):
        case Bound.VALUES:
            raise BadRequest(f"The body holds too many values; expected at most {max_values}.")
        case Bound.NAME:
            raise _name_too_long(f"{MAX_NAME_BYTES} bytes")
        case None:
            pass


def _check_utf8(body: bytes) -> None:
    """Raise `UnicodeDecodeError`. The text of one slice is held at a time: it may take four times the bytes."""
    if body.isascii():
        return
    decoder = getincrementaldecoder("utf-8")()
    for start in range(0, len(body), SLICE_BYTES):
        decoder.decode(body[start : start + SLICE_BYTES])
    decoder.decode(b"", final=True)


def _name_too_long(allowed: str) -> BadRequest:
    return BadRequest(f"The name of a field is too long; expected at most {allowed}.")


def _too_many_fields() -> BadRequest:
    return BadRequest(f"The body has too many fields; expected at most {MAX_FIELDS}.")


def _parse(body: bytes, *, keeps_surrogates: bool) -> _Fields:
    try:
        return _decode(body, keeps_surrogates=keeps_surrogates)
    except RecursionError:
        raise InvalidJson(_TOO_DEEP) from None
    except msgspec.ValidationError:
        raise InvalidJson("The body is not a JSON object.") from None
    except msgspec.DecodeError:
        raise InvalidJson("The body is not valid JSON.") from None


class _Name(str):
    """A field's name in a large body: a type of its own, so that each one passes through `_NameCounter`."""

    __slots__ = ()


class _NameCounter:
    """Stops the decoding of an object that has too many fields, before it has taken their memory."""

    def __init__(self) -> None:
        self._left = MAX_FIELDS

    def __call__(self, _kind: type, name: str) -> _Name:
        self._left -= 1
        if self._left < 0:
            raise _too_many_fields()
        if len(name) > MAX_NAME_CHARACTERS:
            raise _name_too_long(f"{MAX_NAME_CHARACTERS} characters")
        return _Name(name)


def decode_fields(body: bytes | bytearray | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the fields of a JSON object. Raise msgspec's errors, and `BadRequest` where a large one has too many."""
    if len(body) <= SMALL_BODY_BYTES:
        return _FIELDS.decode(body)
    counted = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=_NameCounter()).decode(body)
    return {str(name): value for name, value in counted.items()}


def _decode(body: bytes, *, keeps_surrogates: bool) -> _Fields:
    try:
        return decode_fields(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        rewritten = mark_surrogates(body) if keeps_surrogates else replace_lone_surrogates(body)
        if rewritten is None:
            raise
        fields = decode_fields(rewritten)
        if not keeps_surrogates:
            return fields
        memoryview(rewritten)[:] = body  # the values are views of it, and are spelled as they came again
        return {_unmarked_name(name): value for name, value in fields.items()}


def _unmarked_name(name: str) -> str:
    units = _MARKED_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), name)
    try:
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise InvalidJson("A field's name contains a lone surrogate; expected Unicode text.") from None


def decode_value(raw: msgspec.Raw) -> Any:
    """Return the Python value of a field of `parse_fields`. Raise `InvalidJson` where it is nested too deeply.

    Lone surrogates become U+FFFD, as in a browser's text; a number beyond all range becomes an infinite float.
    """
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        pass
    except RecursionError:
        raise InvalidJson(_TOO_DEEP) from None
    try:
        return loads(bytes(raw))
    except RecursionError:
        raise InvalidJson(_TOO_DEEP) from None
