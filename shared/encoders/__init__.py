"""The wire formats of the chat face: one table. A new format is one file, one line here, one golden file."""

from collections.abc import Callable, Mapping
from typing import Protocol

from shared.encoders.json import JsonEncoder
from shared.encoders.ndjson import NdjsonEncoder
from shared.encoders.sse import SseEncoder
from shared.encoders.text import TextEncoder
from shared.errors import ErrorObject
from shared.events import Event


class Encoder(Protocol):
    """Events -> bytes; one encoder per answer. Pure: no await, no clock."""

    media_type: str
    headers: Mapping[str, str]
    """Headers that the format requires."""
    heartbeat: bytes
    """What says "still here" without saying anything; b'' where the format has no such form."""
    is_whole: bool
    """The answer goes out in one piece at its end, so until then every failure can still be an HTTP status."""

    def encode(self, events: list[Event]) -> bytes:
        """The bytes for the next events."""

    def fail(self, error: ErrorObject) -> bytes | None:
        """The error ending; None where the format has none, so that the connection must be cut instead."""


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "sse": SseEncoder,
    "ndjson": NdjsonEncoder,
    "jsonl": lambda: NdjsonEncoder("application/jsonl"),
    "text": TextEncoder,
    "json": JsonEncoder,
}

MEDIA_TYPES: dict[str, str] = {
    "text/event-stream": "sse",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "jsonl",
    "text/plain": "text",
    "application/json": "json",
}
"""What can be asked for by `Accept`; the first is the answer to `*/*`."""
