"""What both APIs share: upstream bytes in, client bytes out. Pure: no await, no clock.

One translation serves one attempt, so that what an abandoned attempt said never reaches the client. `feed` and `end` never
raise: a failure inside the stream is in `progress.failure`, and `fail` gives its ending.
"""

from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.errors import AnswerError, UpstreamFrameTooLarge
from shared.progress import Progress
from shared.sse import FrameSplitter, frame_data

MAX_BUFFERED_BYTES = 32 * 1024 * 1024
"""How much an upstream may send for an answer that leaves in one piece, and so is held until its end."""


_BEFORE_JSON = BOM_UTF8 + b" \t\r\n"


@dataclass(frozen=True, slots=True)
class ErrorEnding:
    """How a stream ends that the model did not end."""

    frames: bytes
    """The error event; b'' where the format has none, or where the upstream's own has been forwarded."""
    is_cut: bool
    """Whether the connection is cut after it, without the closing chunk, for clients that take a clean end as the answer's."""


class Translation(Protocol):
    """From the upstream's wire format to the client's."""

    media_type: str
    headers: Mapping[str, str]
    """Headers that the client's format requires."""
    heartbeat: bytes
    """What is sent in silence, between two blocks; b'' where the format has no such form."""
    padding: bytes
    """What may be sent before an answer that leaves in one piece, once silence nears the platform's limit; b'' for nothing."""
    shows_life: bool
    """Whether an upstream's events before the first content are signs of life that the client can read."""
    progress: Progress

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; return what can leave, in complete frames."""

    def end(self) -> bytes:
        """Note that the upstream's body has ended cleanly, and with it the answer; return what can still leave."""

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the error ending."""


class SseTranslation[Piece]:
    """Reads an upstream's event stream: cuts it into frames, skips what has no data, stops at the end.

    What a subclass makes of the frames of one read, its pieces, leaves in one block.
    """

    def __init__(self, *, max_event_bytes: int, is_buffered: bool = False) -> None:
        """Begin an answer. `is_buffered`: nothing leaves before its end, so what comes is bounded."""
        self.progress = Progress()
        self._splitter = FrameSplitter(max_event_bytes)
        self._left = MAX_BUFFERED_BYTES if is_buffered else None
        self._max_document_bytes = max_event_bytes
        self._is_undecided = True
        """Whether it may still be one JSON document in place of a stream, whatever its label says."""
        self._document: bytearray | None = None

    def feed(self, data: bytes) -> bytes:
        """Return the block that these bytes give, up to the end of the answer or its failure."""
        self.progress.can_wait = True
        if self._is_undecided and self._is_document(data):
            return b""
        pieces: list[Piece] = []
        try:
            if self._left is not None:
                self._count(len(data))
            if single := self._splitter.single_event_data(data):
                self.progress.events += 1
                self._on_event(data, single, pieces)
            else:
                for frame in self._splitter.feed(data):
                    self._on_frame(frame, pieces)
                    if self.progress.is_over:
                        break
        except AnswerError as error:
            self._on_error(error)
        return self._block(pieces)

    def end(self) -> bytes:
        """Return the last block: a last frame without its blank line still counts, and clients need the blank line."""
        pieces: list[Piece] = []
        try:
            if self._document is not None and not self.progress.is_over:
                self._read_document(bytes(self._document), pieces)
            if left := self._splitter.flush():
                self._on_frame(left + b"\n\n", pieces)
            if not self.progress.is_over:
                self._on_end(pieces)
        except AnswerError as error:
            self._on_error(error)
        self.progress.end_of_body()
        return self._block(pieces)

    def _is_document(self, data: bytes) -> bool:
        """Return whether these bytes are of a JSON document, which begins with a brace, as no line of a stream does."""
        if self._document is None:
            start = data.lstrip(_BEFORE_JSON)
            self._is_undecided = not start or start.startswith(b"{")
            if not start.startswith(b"{"):
                return False
            self._document = bytearray()
        self._document += data
        self.progress.events += 1
        if len(self._document) > self._max_document_bytes:
            self._on_error(
                UpstreamFrameTooLarge("The upstream sent an answer that is larger than this service accepts.")
            )
        return True

    def _read_document(self, document: bytes, pieces: list[Piece]) -> None:
        for frame in self._frames_of(document):
            self._on_frame(frame, pieces)
            if self.progress.is_over:
                break

    def _frames_of(self, document: bytes) -> list[bytes]:
        """Return the frames of a stream that says the same. Raise `AnswerError`."""
        raise NotImplementedError

    def _on_frame(self, frame: bytes, pieces: list[Piece]) -> None:
        if data := frame_data(frame):
            self.progress.events += 1
            self._on_event(frame, data, pieces)
        else:
            self.progress.can_wait = False
            self._on_comment(frame, pieces)

    def _count(self, size: int) -> None:
        self._left = (self._left or 0) - size
        if self._left < 0:
            raise UpstreamFrameTooLarge("The answer is too large to be sent in one piece.")

    def _on_event(self, frame: bytes, data: bytes, pieces: list[Piece]) -> None:
        """Read one frame that has data. Raise `AnswerError` where it ends the answer in failure."""
        raise NotImplementedError

    def _on_comment(self, frame: bytes, pieces: list[Piece]) -> None:
        """Read one frame without data: a comment, or a field that only a client may understand."""

    def _on_end(self, pieces: list[Piece]) -> None:
        """Read the clean end of a body whose answer has not ended. Raise `AnswerError` where that is a failure."""

    def _on_error(self, error: AnswerError) -> None:
        self.progress.fail(error)

    def _block(self, pieces: list[Piece]) -> bytes:
        raise NotImplementedError
