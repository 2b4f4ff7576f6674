"""What every wire format of the chat API can do."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from shared.errors import ErrorObject
from shared.events import AnswerEvent

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Encoder(Protocol):
    """Events -> bytes; one encoder per answer. Pure: no await, no clock."""

    media_type: str
    headers: Mapping[str, str]
    """The headers that the format requires in addition to its Content-Type."""
    heartbeat: bytes
    """What keeps the connection busy without an event; b'' where the format has no such form."""
    padding: bytes
    """What may stand before an answer that goes out in one piece; b'' where nothing may, or where it does not."""
    is_buffered: bool
    """The answer goes out in one piece at its end, so until then every failure can still be an HTTP status."""

    cuts_after_error: bool
    """A failed answer ends in a cut connection, after its error event where there is one: the reason is at each format."""

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return the bytes for the next events; b'' where the format has nothing to say yet."""

    def fail(self, error: ErrorObject) -> bytes | None:
        """Return the error event; None where the format has none, so that only the cut can tell."""
