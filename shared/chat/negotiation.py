"""Which wire format an answer gets: from `?format=`, `Accept` (RFC 9110 section 12.5.1), the address and `stream`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from shared.chat.encoders import FORMATS
from shared.chat.fields import invalid
from shared.chat.request import Schema
from shared.errors import BadRequest, NotAcceptable

MAX_RANGES = 32
"""The ranges of an `Accept` header that are read; a browser sends eight."""

_WEIGHT = re.compile(r"0?\.[0-9]{1,9}|0\.?|1(?:\.0{0,9})?")
"""RFC 9110's, and what is seen in addition: `q=.2` of Java's own client, and more than three digits."""

type Accept = Mapping[str, float]
"""The media ranges of an `Accept` header, in lower case, with their weights from 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a request says about its answer's format before its body is read.

    `asked`: the query's `format`, which wins over `Accept`. `must_stream`: the address always streams.
    `streaming_enabled`: the deployment's STREAMING_ENABLED.
    """

    asked: str | None
    accept: Accept
    must_stream: bool
    streaming_enabled: bool


def check_acceptable(preferences: Preferences, schema: Schema) -> None:
    """Raise `BadRequest` or `NotAcceptable` where no body could make the request acceptable.

    `schema` is what the request looks like without its body. Where the address does not always stream, the body may ask for a
    non-streaming answer, which is sent whatever `Accept` says.
    """
    name = _preferred(preferences, schema)
    if preferences.must_stream:
        _format_of(name, preferences, schema, stream=None)


def choose_format(preferences: Preferences, schema: Schema, *, stream: bool | None) -> str:
    """Return the format's name, a key of `FORMATS`. Raise `BadRequest` or `NotAcceptable`.

    `stream` is the body's field, None where it has none.
    """
    if preferences.must_stream and preferences.streaming_enabled and stream is False:
        raise BadRequest(
            "'stream' is false, but this address always streams; use /chat for a non-streaming answer.", param="stream"
        )
    return _format_of(_preferred(preferences, schema), preferences, schema, stream=stream)


def _preferred(preferences: Preferences, schema: Schema) -> str | None:
    """Return the format asked for, or the first of those that `Accept` prefers, or None. Raise `BadRequest`."""
    if preferences.asked is None:
        return best_match(preferences.accept, _offers(preferences, schema))
    names = [name for name, found in FORMATS.items() if found.media_types]
    if preferences.asked not in names:
        raise invalid("format", "one of " + ", ".join(names))
    return preferences.asked


def _format_of(name: str | None, preferences: Preferences, schema: Schema, *, stream: bool | None) -> str:
    preferred = FORMATS[name or "sse"]
    wants_stream = stream is not False if preferred.streams_unasked else preferences.must_stream or stream is True
    if not wants_stream or not (preferences.streaming_enabled or preferred.is_required):
        return preferred.non_streaming
    if name is None or (preferences.must_stream and name == preferred.non_streaming):
        offered = ", ".join(media_type for media_type, _ in _offers(preferences, schema))
        raise NotAcceptable(f"No acceptable format. Available: {offered}.")
    return name


def _offers(preferences: Preferences, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield the media types that `Accept` can ask for, each with its format's name."""
    for name, found in FORMATS.items():
        if schema in found.schemas and not (preferences.must_stream and name == found.non_streaming):
            for media_type in found.media_types:
                yield media_type, name


def best_match(accept: Accept, offered: Iterable[tuple[str, str]]) -> str | None:
    """Return the name whose media type has the highest weight; None where nothing fits.

    Of equals, the one that is named more specifically (so that JSON wins in axios's `application/json, text/plain, */*`), then
    the one that is named earlier in the header, then the one that is offered earlier.
    """
    ranges = list(accept)
    best, best_rank = None, (0.0, 0, 0)
    for media_type, name in offered:
        found = _range_of(media_type, accept)
        rank = (accept.get(found, 0.0), 3 - found.count("*"), -ranges.index(found) if found in accept else 0)
        if rank[0] > 0 and (best is None or rank > best_rank):
            best, best_rank = name, rank
    return best


def weight(media_type: str, accept: Accept) -> float:
    """Return the weight of the most specific range that fits, 0 where none does."""
    return accept.get(_range_of(media_type, accept), 0.0)


def parse_accept(header: str | None) -> Accept:
    """Return the first `MAX_RANGES` media ranges; anything where the header is missing or empty.

    A malformed range counts for nothing. Of two that are the same, the first counts.
    """
    if header is None or not header.strip():
        return {"*/*": 1.0}
    accept: dict[str, float] = {}
    for part in header.lower().split(",", MAX_RANGES)[:MAX_RANGES]:
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        if media_range == "*":  # Java's own client sends it
            media_range = "*/*"
        if media_range.count("/") == 1:
            accept.setdefault(media_range, _quality(parameters))
    return accept


def _quality(parameters: Iterable[str]) -> float:
    quality = 1.0
    for name, _, value in (parameter.partition("=") for parameter in parameters):
        if name.strip() == "q":
            quality = float(value.strip()) if _WEIGHT.fullmatch(value.strip()) else 0.0
    return quality


def _range_of(media_type: str, accept: Accept) -> str:
    """Return the most specific range that fits, '' where none does."""
    family = media_type.split("/")[0] + "/*"
    return next((found for found in (media_type, family, "*/*") if found in accept), "")
