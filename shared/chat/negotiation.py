"""Which wire format an answer gets: from `?format=`, `Accept` (RFC 9110 section 12.5.1), the path and `stream`."""

import re
from collections.abc import Mapping

from shared.chat.encoders import ENCODERS, MEDIA_TYPES
from shared.errors import BadRequest, NotAcceptable

_WEIGHT = re.compile(r"0?\.[0-9]{1,9}|0\.?|1(?:\.0{0,9})?")
"""RFC 9110's, and what is seen beside it: `q=.2` of Java's own client, and more than three digits."""
WHOLE, WHOLE_CHAT_PROTOCOL = "json", "chat-protocol-json"
OWN, UI_MESSAGE, CHAT_PROTOCOL = "own", "ui-message", "chat-protocol"
OFFERS: dict[str, Mapping[str, str]] = {
    OWN: MEDIA_TYPES,
    UI_MESSAGE: {**MEDIA_TYPES, "text/event-stream": UI_MESSAGE},
    CHAT_PROTOCOL: {"application/json": CHAT_PROTOCOL, "application/jsonl": CHAT_PROTOCOL},
}
"""What each shape of request can ask for by `Accept`: the clients that send a shape of their own read a format of their own."""


def choose_format(
    *,
    asked: str | None,
    accept: str | None,
    stream: bool | None,
    must_stream: bool,
    streaming_enabled: bool,
    shape: str = OWN,
) -> str:
    """The name of the format, for `encoder_factory`. Raises `BadRequest` or `NotAcceptable`.

    `asked` is the query's `format`, which wins over the `Accept` header; `must_stream` is true for the addresses that
    always stream; `stream` is the body's field; `shape` is the body's shape, a key of `OFFERS`.
    """
    if must_stream and stream is False and streaming_enabled:
        raise BadRequest(
            "'stream' is false, but this address always streams; use /chat for a whole answer.", param="stream"
        )
    if asked is not None and asked not in ENCODERS:
        raise BadRequest(f"'format' is not valid; expected one of {', '.join(ENCODERS)}.", param="format")
    allowed = {media: name for media, name in OFFERS[shape].items() if not (must_stream and name == WHOLE)}
    chosen = asked if asked is not None else best_match(accept, allowed)
    if chosen == CHAT_PROTOCOL:
        return chosen if must_stream or stream else WHOLE_CHAT_PROTOCOL
    if stream is False or not (streaming_enabled or chosen == UI_MESSAGE):
        return WHOLE
    if chosen is None or (must_stream and chosen == WHOLE):
        raise NotAcceptable("None of the accepted formats is offered here; offered are " + ", ".join(allowed) + ".")
    return chosen


def best_match(accept: str | None, offered: Mapping[str, str]) -> str | None:
    """The offered format with the highest weight, the earlier of equals; None when nothing fits."""
    ranges = parse_accept(accept) if accept is not None and accept.strip() else [("*/*", 1.0)]
    best, best_weight = None, 0.0
    for media_type, name in offered.items():
        weight = _weight(media_type, ranges)
        if weight > best_weight:
            best, best_weight = name, weight
    return best


def parse_accept(accept: str) -> list[tuple[str, float]]:
    """The media ranges of an `Accept` header with their weights; a malformed one counts for nothing."""
    ranges = []
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        weight = 1.0
        for name, _, value in (parameter.partition("=") for parameter in parameters):
            if name.strip() == "q":
                weight = float(value.strip()) if _WEIGHT.fullmatch(value.strip()) else 0.0
        if media_range == "*":  # Java's own client sends it
            media_range = "*/*"
        if media_range.count("/") == 1:
            ranges.append((media_range, weight))
    return ranges


def _weight(media_type: str, ranges: list[tuple[str, float]]) -> float:
    """The weight of the most specific range that fits."""
    family = media_type.split("/")[0] + "/*"
    for pattern in (media_type, family, "*/*"):
        for media_range, weight in ranges:
            if media_range == pattern:
                return weight
    return 0.0
