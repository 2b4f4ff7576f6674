"""The chat API's translation: a dialect's decoder on one side, a format's encoder on the other, events in between."""

from collections.abc import Mapping

from shared.chat.dialects import Decoder
from shared.chat.encoders import Encoder
from shared.errors import AnswerError
from shared.events import Delta, Event, Reasoning, Started, Usage
from shared.sse import FrameSplitter, frame_data
from shared.translation import ErrorEnding

_PREAMBLE = (Started, Usage)


class ChatTranslation:
    """See `translation.Translation`."""

    def __init__(self, decoder: Decoder, encoder: Encoder, *, max_event_bytes: int) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self._splitter = FrameSplitter(max_event_bytes)
        self.media_type = encoder.media_type
        self.headers: Mapping[str, str] = encoder.headers
        self.heartbeat = encoder.heartbeat
        self.has_content = False
        self.is_ended = False
        self.may_have_failed = False
        self.failure: AnswerError | None = None
        self.usage: Usage | None = None
        self.chunks = 0
        self.answer_id = ""

    def feed(self, data: bytes) -> bytes:
        """The next events, encoded."""
        events: list[Event] = []
        try:
            if lone := self._splitter.single_event_data(data):
                self._decode(lone, events)
            else:
                for frame in self._splitter.feed(data):
                    self._read(frame, events)
                    if self.is_ended:
                        break
        except AnswerError as error:
            self.failure = error
        return self._encode(events) if events else b""

    def end(self) -> bytes:
        """The last frame may lack its blank line; what it says still counts."""
        events: list[Event] = []
        try:
            if left := self._splitter.flush():
                self._read(left + b"\n\n", events)
            if not self.is_ended:
                events += self._decoder.end()
                self.is_ended = self._decoder.is_ended
        except AnswerError as error:
            self.failure = error
        return self._encode(events) if events else b""

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the format's own error ending."""
        return ErrorEnding(self._encoder.fail(error.error_object()) or b"", self._encoder.cuts_after_error)

    def _read(self, frame: bytes, events: list[Event]) -> None:
        if data := frame_data(frame):
            self._decode(data, events)

    def _decode(self, data: bytes, events: list[Event]) -> None:
        events += self._decoder.decode(data)
        self.is_ended = self._decoder.is_ended
        self.may_have_failed = self._decoder.may_have_failed

    def _encode(self, events: list[Event]) -> bytes:
        for event in events:
            if isinstance(event, _PREAMBLE):
                if isinstance(event, Usage):
                    self.usage = event
                else:
                    self.answer_id = event.id
            else:
                self.has_content = True
                self.chunks += isinstance(event, Delta | Reasoning)
        return self._encoder.encode(events)
