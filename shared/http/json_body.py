"""The bytes of a request's body -> the fields of its JSON object, each as the bytes that the caller sent, or a 4xx."""

import re
import secrets
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any

import msgspec

from shared.errors import InvalidJson, UnsupportedMediaType
from shared.tolerant_json import loads, mark_surrogates

_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
"""US-ASCII is UTF-8 too. Any other parameter of application/json means nothing (RFC 8259 section 11)."""
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TOO_DEEP = "The JSON is nested too deeply."


def check_content_headers(headers: Mapping[str, str]) -> None:
    """Raise `UnsupportedMediaType` unless the request's body is JSON in UTF-8, not compressed."""
    _check_content_type(headers.get("content-type", ""))
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType("A compressed body is not supported; send the JSON without Content-Encoding.")


def _check_content_type(content_type: str) -> None:
    media_type, *parameters = (piece.strip().lower() for piece in content_type.split(";"))
    named = (parameter.partition("=") for parameter in parameters)
    charsets = {value.strip().strip('"') for name, _, value in named if name.strip() == "charset"}
    if media_type != "application/json" or not charsets <= _CHARSETS:
        raise UnsupportedMediaType("The Content-Type is not supported; expected application/json in UTF-8.")


def parse_fields(body: bytes) -> dict[str, msgspec.Raw]:
    """Return the body's top-level fields, each value as it is spelled there. Raise `InvalidJson`.

    All of the body is checked to be JSON as RFC 8259 defines it. Of two fields with one name, the last counts.
    """
    if not body.strip():
        raise InvalidJson("The body is empty; expected a JSON object.")
    try:
        body.decode()  # msgspec does not check the UTF-8 of values that it leaves raw
    except UnicodeDecodeError:
        raise InvalidJson("The body is not valid UTF-8.") from None
    try:
        return _decode(body.removeprefix(BOM_UTF8))
    except RecursionError:
        raise InvalidJson(_TOO_DEEP) from None
    except msgspec.ValidationError:
        raise InvalidJson("The body is not a JSON object.") from None
    except msgspec.DecodeError:
        raise InvalidJson("The body is not valid JSON.") from None


def _decode(body: bytes) -> dict[str, msgspec.Raw]:
    try:
        return _FIELDS.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        mark = b"z" + secrets.token_hex(8).encode()  # nobody can have put it into the body
        marked = mark_surrogates(body, mark)
        if marked is body:
            raise
        return _unmarked(_FIELDS.decode(marked), mark)


def _unmarked(fields: dict[str, msgspec.Raw], mark: bytes) -> dict[str, msgspec.Raw]:
    word = mark.decode()
    return {
        _unmarked_name(name, word) if word in name else name: msgspec.Raw(bytes(value).replace(mark, b"\\"))
        for name, value in fields.items()
    }


def _unmarked_name(name: str, mark: str) -> str:
    units = re.sub(mark + "u([0-9a-fA-F]{4})", lambda escape: chr(int(escape[1], 16)), name)
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
