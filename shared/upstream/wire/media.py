"""Images and audio: the events of their streams, and what a complete answer cost.

https://platform.openai.com/docs/api-reference/images-streaming, …/audio. Every event has its `type`; the last one has `usage`,
where the model is billed by the token.
"""

import json
import re
from typing import Any

import msgspec

from shared.events import Usage
from shared.upstream.wire.frames import frame_decoder, object_or_none
from shared.upstream.wire.usage import read_response_usage

SEARCHED_BYTES = 64 * 1024
"""Where the usage of a complete answer is looked for: at its end, after the image, or at its beginning."""
_USAGE = re.compile(rb'"usage"\s*:\s*(?=\{)')
"""Never found inside a text, whose quotation marks are escaped."""
_DECODER = json.JSONDecoder()


class MediaEvent(msgspec.Struct):
    """As much of an event as says where the answer stands. An `error` event is flat, or has `error`."""

    type: str = ""
    usage: Any = None
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


def read_usage(value: Any) -> Usage | None:
    """Return the tokens of a usage object; None where it has none, such as that of a model billed by the second."""
    fields = object_or_none(value)
    usage = read_response_usage(fields) if fields is not None and "input_tokens" in fields else None
    return None if usage is None else usage.event()


def body_usage(head: bytes, tail: bytes) -> Usage | None:
    """Return the tokens of a complete answer, of which these are the first and the last bytes."""
    for part in (tail, head):
        for found in reversed(list(_USAGE.finditer(part))):
            try:
                value, _ = _DECODER.raw_decode(part[found.end() :].decode(errors="replace"))
            except (ValueError, RecursionError):
                continue
            if usage := read_usage(value):
                return usage
    return None


def _read_event(fields: dict[str, Any]) -> MediaEvent:
    kind = fields.get("type", "")
    names = ("usage", "error", "code", "message", "param")
    return MediaEvent(kind if isinstance(kind, str) else "", *(fields.get(name) for name in names))


decode_media_event = frame_decoder(MediaEvent, _read_event)
"""Decode the data of one frame without its image, sound or text. Raise `UpstreamMalformed`."""
