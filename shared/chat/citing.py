"""A dialect's decoder whose words cite: markers such as `[1]` become citations on their way to the encoder."""

from shared.chat.dialects import Decoder
from shared.events import AnswerEvent, Delta, Finished
from shared.retrieval.markers import MarkerReader


class CitingDecoder:
    """See `dialects.Decoder`. What is held back of a marker leaves with the model's own ending."""

    def __init__(self, decoder: Decoder, markers: MarkerReader) -> None:
        """Take over a new decoder."""
        self._decoder = decoder
        self._markers = markers

    @property
    def is_ended(self) -> bool:
        """Whether the model has ended the answer."""
        return self._decoder.is_ended

    @property
    def is_cut(self) -> bool:
        """Whether the upstream says that it will send no more, though the model has not ended the answer."""
        return self._decoder.is_cut

    @property
    def may_have_failed(self) -> bool:
        """Whether the answer has failed, and what explains it may come with the next frame."""
        return self._decoder.may_have_failed

    def decode(self, data: bytes) -> list[AnswerEvent]:
        """Return the events of one frame. Raise as the decoder does."""
        return self._cited(self._decoder.decode(data))

    def end(self) -> list[AnswerEvent]:
        """Return what a clean end of the stream means. Raise as the decoder does."""
        return self._cited(self._decoder.end())

    def _cited(self, events: list[AnswerEvent]) -> list[AnswerEvent]:
        cited: list[AnswerEvent] = []
        for event in events:
            if isinstance(event, Delta):
                cited += self._markers.read(event.text)
                continue
            if isinstance(event, Finished):
                cited += self._markers.end()
            cited.append(event)
        return cited
