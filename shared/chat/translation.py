"""The chat API's translation: a dialect's decoder on one side, a format's encoder on the other, events in between."""

from shared.chat.dialects import Decoder
from shared.chat.encoders import Encoder
from shared.errors import AnswerError, UpstreamFailure
from shared.events import AnswerEvent, Delta, Reasoning, Started, Usage
from shared.translation import ErrorEnding, SseTranslation
from shared.upstream.wire.documents import frames_of_document
from shared.upstream.wire.frames import NO_EXPLANATION

_UNEXPLAINED = UpstreamFailure(NO_EXPLANATION)


class ChatTranslation(SseTranslation[AnswerEvent]):
    """See `translation.Translation`."""

    shows_life = False

    def __init__(self, decoder: Decoder, encoder: Encoder, *, max_event_bytes: int) -> None:
        """Begin an answer; an encoder that is buffered bounds what the upstream may send."""
        super().__init__(max_event_bytes=max_event_bytes, is_buffered=encoder.is_buffered)
        self._decoder = decoder
        self._encoder = encoder
        self.media_type = encoder.media_type
        self.headers = encoder.headers
        self.heartbeat = encoder.heartbeat
        self.padding = encoder.padding

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the format's own error ending."""
        return ErrorEnding(self._encoder.fail(error.error_object()) or b"", self._encoder.cuts_after_error)

    def _frames_of(self, document: bytes) -> list[bytes]:
        return frames_of_document(document)

    def _on_event(self, frame: bytes, data: bytes, pieces: list[AnswerEvent]) -> None:  # noqa: ARG002 - only its data matters
        decoder = self._decoder
        pieces += decoder.decode(data)
        if decoder.is_ended:
            self.progress.end()
        elif decoder.is_cut:
            self.progress.end_of_body()
        elif decoder.may_have_failed:
            self.progress.announce_failure(_UNEXPLAINED)

    def _on_end(self, pieces: list[AnswerEvent]) -> None:
        pieces += self._decoder.end()
        if self._decoder.is_ended:
            self.progress.end()

    def _on_error(self, error: AnswerError) -> None:
        self.progress.fail(error, is_explanation=True)  # the decoder keeps what was announced

    def _block(self, pieces: list[AnswerEvent]) -> bytes:
        progress = self.progress
        for event in pieces:
            if isinstance(event, Usage):
                progress.usage = event
            elif isinstance(event, Started):
                progress.answer_id = event.id
            else:
                progress.content()
                if isinstance(event, Delta | Reasoning):
                    progress.chunks += 1
                else:
                    progress.can_wait = False
        return self._encoder.encode(pieces) if pieces else b""
