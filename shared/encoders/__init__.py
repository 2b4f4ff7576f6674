"""The wire formats of the chat face: one table. A new format is one file, one line here, one golden file."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.encoders.chat_protocol import ChatProtocolEncoder, ChatProtocolWholeEncoder
from shared.encoders.collected import Collected
from shared.encoders.encoder import Encoder
from shared.encoders.json import JsonEncoder
from shared.encoders.ndjson import NdjsonEncoder
from shared.encoders.sse import SseEncoder
from shared.encoders.text import TextEncoder
from shared.encoders.ui_message import UiMessageEncoder

__all__ = ["CARRYING_ENCODERS", "ENCODERS", "MEDIA_TYPES", "Encoder", "encoder_factory"]

ENCODERS: dict[str, Callable[[], Encoder]] = {
    "sse": SseEncoder,
    "ndjson": NdjsonEncoder,
    "jsonl": lambda: NdjsonEncoder("application/jsonl"),
    "text": TextEncoder,
    "json": JsonEncoder,
    "ui-message": UiMessageEncoder,
    "chat-protocol": ChatProtocolEncoder,
}
"""What can be asked for by `?format=`."""

CARRYING_ENCODERS: dict[str, Callable[[Mapping[str, Any]], Encoder]] = {
    "chat-protocol": ChatProtocolEncoder,
    "chat-protocol-json": ChatProtocolWholeEncoder,
}
"""The formats whose answer shows something of the request again."""

MEDIA_TYPES: dict[str, str] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "jsonl",
    "text/plain": "text",
    "application/json": "json",
}
"""What can be asked for by `Accept`; the first is the answer to `*/*`."""


def encoder_factory(name: str, carried: Mapping[str, Any], *, streaming_enabled: bool) -> Callable[[], Encoder]:
    """How the encoders of an answer are made: a new one for each attempt at it."""

    def new_encoder() -> Encoder:
        encoder = CARRYING_ENCODERS[name](carried) if name in CARRYING_ENCODERS else ENCODERS[name]()
        return encoder if streaming_enabled or encoder.is_whole else Collected(encoder)

    return new_encoder
