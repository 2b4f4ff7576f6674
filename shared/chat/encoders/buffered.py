"""A streaming format that leaves in one piece: for a deployment that does not stream, and clients that read no other format."""

from shared.chat.encoders.encoder import Encoder
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Finished


class Buffered:
    """Hold back what another encoder writes until the answer is finished."""

    heartbeat = b""
    is_buffered = True
    cuts_after_error = True

    def __init__(self, encoder: Encoder) -> None:
        """Take over a new encoder, with its media type and headers."""
        self._encoder = encoder
        self.media_type = encoder.media_type
        self.headers = encoder.headers
        self.padding = encoder.heartbeat
        self._held = bytearray()

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return b'' until the answer is finished, then all of it."""
        self._held += self._encoder.encode(events)
        return bytes(self._held) if any(isinstance(event, Finished) for event in events) else b""

    def fail(self, error: ErrorObject) -> None:
        """Return None: nothing has been sent when an answer fails."""
