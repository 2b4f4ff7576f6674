"""The wire formats of the chat API: one table. A new format is one file, one line here, one golden file."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.chat.encoders.buffered import Buffered
from shared.chat.encoders.chat_protocol import BufferedChatProtocolEncoder, ChatProtocolEncoder
from shared.chat.encoders.encoder import Encoder
from shared.chat.encoders.json import JsonEncoder
from shared.chat.encoders.ndjson import NdjsonEncoder
from shared.chat.encoders.sse import SseEncoder
from shared.chat.encoders.text import TextEncoder
from shared.chat.encoders.ui_message import UiMessageEncoder

__all__ = ["ECHOING_ENCODERS", "ENCODERS", "MEDIA_TYPES", "Encoder", "encoder_factory"]

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

ECHOING_ENCODERS: dict[str, Callable[[Mapping[str, Any]], Encoder]] = {
    "chat-protocol": ChatProtocolEncoder,
    "chat-protocol-json": BufferedChatProtocolEncoder,
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
        encoder = ECHOING_ENCODERS[name](carried) if name in ECHOING_ENCODERS else ENCODERS[name]()
        return encoder if streaming_enabled or encoder.is_buffered else Buffered(encoder)

    return new_encoder
