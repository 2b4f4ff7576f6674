"""Plain text: the answer's words and nothing else. It has no heartbeat and no error form: a failure cuts the connection."""

from collections.abc import Mapping
from types import MappingProxyType

from shared.errors import ErrorObject
from shared.events import Delta, Event


class TextEncoder:
    """For a terminal, a pipe, a person."""

    media_type = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = MappingProxyType({"x-content-type-options": "nosniff"})
    heartbeat = b""
    is_buffered = False
    cuts_after_error = True
    """Only an end without the closing chunk tells a reader of plain text that words are missing."""

    def encode(self, events: list[Event]) -> bytes:
        """The words."""
        return "".join([event.text for event in events if isinstance(event, Delta)]).encode()

    def fail(self, error: ErrorObject) -> None:
        """None: whatever is written would be read as the model's words."""
