"""What every wire format of the chat API can do."""

from collections.abc import Mapping
from typing import Protocol

from shared.errors import ErrorObject
from shared.events import Event


class Encoder(Protocol):
    """Events -> bytes; one encoder per answer. Pure: no await, no clock."""

    media_type: str
    headers: Mapping[str, str]
    """Headers that the format requires."""
    heartbeat: bytes
    """What says "still here" without saying anything; b'' where the format has no such form."""
    is_buffered: bool
    """The answer goes out in one piece at its end, so until then every failure can still be an HTTP status."""

    cuts_after_error: bool
    """A failed answer ends in a cut connection, after its error event where there is one: the reason is at each format."""

    def encode(self, events: list[Event]) -> bytes:
        """The bytes for the next events."""

    def fail(self, error: ErrorObject) -> bytes | None:
        """Return the error event; None where the format has none, so that only the cut can tell."""
