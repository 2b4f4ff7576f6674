"""Newline-delimited JSON: one event a line, every line ends in LF, errors included. https://jsonlines.org"""

from collections.abc import Mapping
from types import MappingProxyType

from shared.chat.encoders.event_json import event_json
from shared.errors import ErrorObject
from shared.events import Event, Failed


class NdjsonEncoder:
    """Known as application/x-ndjson and as application/jsonl."""

    headers: Mapping[str, str] = MappingProxyType({})
    heartbeat = b'{"type":"heartbeat"}\n'
    is_buffered = False
    cuts_after_error = True
    """curl reports a cut in its exit status, and nothing else: a script that picks out the words sees no event."""

    def __init__(self, media_type: str = "application/x-ndjson") -> None:
        self.media_type = media_type

    def encode(self, events: list[Event]) -> bytes:
        """One line per event."""
        return b"".join([event_json(event) + b"\n" for event in events])

    def fail(self, error: ErrorObject) -> bytes:
        """A `failed` event."""
        return self.encode([Failed(error)])
