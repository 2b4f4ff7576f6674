"""The wire formats of the chat API: one table. A new format is one file, one line here, one golden file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from shared.chat.encoders.buffered import Buffered
from shared.chat.encoders.chat_protocol import BufferedChatProtocolEncoder, ChatProtocolEncoder
from shared.chat.encoders.encoder import Encoder
from shared.chat.encoders.json import JsonEncoder
from shared.chat.encoders.ndjson import NdjsonEncoder
from shared.chat.encoders.sse import SseEncoder
from shared.chat.encoders.text import TextEncoder
from shared.chat.encoders.ui_message import UiMessageEncoder
from shared.chat.request import Schema

__all__ = ["FORMATS", "Encoder", "Format", "encoder_factory"]

_NATIVE = frozenset({Schema.NATIVE})
_UI_MESSAGE = frozenset({Schema.UI_MESSAGE})
_CHAT_PROTOCOL = frozenset({Schema.CHAT_PROTOCOL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A wire format, and when an answer gets it."""

    encoder: Callable[[Mapping[str, msgspec.Raw]], Encoder]
    """Make an encoder from the fields of the request that the answer shows again."""
    media_types: tuple[str, ...] = ()
    """What `Accept` asks for it by; none where it is only the form of another format, which `?format=` does not take either."""
    schemas: frozenset[Schema] = frozenset()
    """The request schemas that are offered it by `Accept`; `?format=` asks for it in any."""
    non_streaming: str = "json"
    """The format of the same answer where it is not streamed; its own name where it never is."""
    streams_unasked: bool = True
    """It streams unless `stream` is false; or else only where the address or `stream` says so."""
    is_required: bool = False
    """Its client reads no other format, so where STREAMING_ENABLED is false, its own bytes leave in one piece."""
    names_sources: bool = False
    """Its readers know a source by its name: `[name]` stands in the text where others have `[1]`."""


FORMATS: dict[str, Format] = {
    "sse": Format(encoder=lambda _: SseEncoder(), media_types=("text/event-stream",), schemas=_NATIVE),
    "ui-message": Format(
        encoder=lambda _: UiMessageEncoder(),
        media_types=("text/event-stream",),
        schemas=_UI_MESSAGE,
        is_required=True,
    ),
    "ndjson": Format(
        encoder=lambda _: NdjsonEncoder(),
        media_types=("application/x-ndjson", "application/ndjson"),
        schemas=_NATIVE | _UI_MESSAGE,
    ),
    "jsonl": Format(
        encoder=lambda _: NdjsonEncoder("application/jsonl"),
        media_types=("application/jsonl",),
        schemas=_NATIVE | _UI_MESSAGE,
    ),
    "text": Format(encoder=lambda _: TextEncoder(), media_types=("text/plain",), schemas=_NATIVE | _UI_MESSAGE),
    "json": Format(encoder=lambda _: JsonEncoder(), media_types=("application/json",), schemas=_NATIVE | _UI_MESSAGE),
    "chat-protocol": Format(
        encoder=ChatProtocolEncoder,
        media_types=("application/json", "application/jsonl"),
        schemas=_CHAT_PROTOCOL,
        non_streaming="chat-protocol-json",
        streams_unasked=False,
        is_required=True,
        names_sources=True,
    ),
    "chat-protocol-json": Format(
        encoder=BufferedChatProtocolEncoder, non_streaming="chat-protocol-json", names_sources=True
    ),
}
"""By the name that a receipt shows and `?format=` takes. Of equal weights in `Accept`, the earlier wins."""


def encoder_factory(name: str, echoed: Mapping[str, msgspec.Raw], *, streaming_enabled: bool) -> Callable[[], Encoder]:
    """Return what makes the encoders of an answer: a new one for each attempt at it."""

    def new_encoder() -> Encoder:
        encoder = FORMATS[name].encoder(echoed)
        return encoder if streaming_enabled or encoder.is_buffered else Buffered(encoder)

    return new_encoder
