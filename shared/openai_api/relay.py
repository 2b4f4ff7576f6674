"""The OpenAI API's translations: the upstream's bytes go down as they came; see `translation.Translation`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import msgspec

from shared.errors import AnswerError, UpstreamFrameTooLarge
from shared.openai_api.inspector import FrameInspector, FrameKind
from shared.openai_api.response_ids import ResponseIds
from shared.progress import Phase, Progress
from shared.sse import HEARTBEAT, HEARTBEAT_AFTER_ID, has_id, write_frame
from shared.translation import MAX_BUFFERED_BYTES, ErrorEnding, SseTranslation
from shared.upstream.errors import error_from_event
from shared.upstream.wire.body import read_body
from shared.upstream.wire.documents import frames_of_document

MAX_INSPECTED_BYTES = 1024 * 1024
"""A non-streaming answer up to this size is inspected for its usage; a larger one only passes."""
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class StreamRelay(SseTranslation[bytes]):
    """A stream of events.

    `hides_usage`: the usage chunk was our wish, not the caller's. `ids`: signs the stored responses' ids, in the frames that
    carry a response object; None where nothing is signed.
    """

    media_type = "text/event-stream; charset=utf-8"
    headers = _NO_HEADERS
    padding = b""

    def __init__(
        self,
        inspector: FrameInspector,
        *,
        hides_usage: bool,
        max_event_bytes: int,
        ids: ResponseIds | None = None,
        is_buffered: bool = False,
    ) -> None:
        """Begin an answer whose frames this inspector classifies."""
        super().__init__(max_event_bytes=max_event_bytes, is_buffered=is_buffered)
        self._inspector = inspector
        self._ids = ids
        self._hides_usage = hides_usage
        self._has_forwarded_error = False
        self.shows_life = inspector.shows_life
        self.heartbeat = HEARTBEAT
        self._has_id = False

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the format's error event, unless the upstream's own has gone out, and how the connection ends after it.

        Before anything has been sent it has not: what was held is dropped with its attempt.
        """
        inspector, answer_id = self._inspector, self.progress.answer_id
        is_said = self._has_forwarded_error and self.progress.is_settled and error is self.progress.failure
        shown_id = answer_id if self._ids is None else self._ids.sign(answer_id)
        frames = inspector.error_frames(error.error_object(), is_said=is_said, answer_id=shown_id)
        ending = b"".join(write_frame(msgspec.json.encode(value), event=name) for name, value in frames)
        return ErrorEnding(ending, is_cut=inspector.cuts_after_error and not (is_said and inspector.has_own_ending))

    def _frames_of(self, document: bytes) -> list[bytes]:
        return frames_of_document(document)

    def _on_event(self, frame: bytes, data: bytes, pieces: list[bytes]) -> None:
        if not self._has_id and not frame.startswith(b"data: {") and has_id(frame):
            self._note_id()
        kind, progress = self._inspector.classify(data), self.progress
        if self._ids is not None and self._inspector.has_response:
            frame = self._ids.sign_event(frame, data)
        if kind is FrameKind.CONTENT or kind is FrameKind.ENDING:
            progress.chunks += 1
            if kind is FrameKind.ENDING:
                progress.can_wait = False
            if progress.phase is not Phase.CONTENT or self._inspector.usage is not progress.usage:
                progress.content()
                self._note()
            pieces.append(frame)
        else:
            progress.can_wait = False
            self._on_rare(kind)
            self._note()
            if not self._is_withheld(kind):
                pieces.append(frame)

    def _is_withheld(self, kind: FrameKind) -> bool:
        if kind is FrameKind.TERMINAL:  # after an announced failure it would look like the model's own ending
            return self.progress.phase is Phase.FAILED
        if kind is FrameKind.CUT:
            return True
        return kind is FrameKind.USAGE_ONLY and self._hides_usage

    def _on_rare(self, kind: FrameKind) -> None:
        progress, error = self.progress, self._inspector.error
        if kind is FrameKind.TERMINAL:
            progress.end()
        elif kind is FrameKind.CUT:
            progress.end_of_body()
        elif kind is FrameKind.FAILURE_ANNOUNCED and error is not None:
            self._has_forwarded_error = self._inspector.shows_failure
            progress.announce_failure(error_from_event(error))
        elif kind is FrameKind.FAILURE and error is not None:
            self._has_forwarded_error = self._inspector.shows_failure
            progress.fail(error_from_event(error), is_explanation=True)

    def _on_comment(self, frame: bytes, pieces: list[bytes]) -> None:
        if not self._has_id and has_id(frame):
            self._note_id()
        pieces.append(frame)

    def _note_id(self) -> None:
        self._has_id = True
        if self.heartbeat:
            self.heartbeat = HEARTBEAT_AFTER_ID

    def _note(self) -> None:
        self.progress.usage, self.progress.answer_id = self._inspector.usage, self._inspector.answer_id

    def _block(self, pieces: list[bytes]) -> bytes:
        return b"".join(pieces)


class BufferedRelay(StreamRelay):
    """A stream that leaves in one piece, because this deployment does not stream."""

    padding = HEARTBEAT

    def __init__(
        self, inspector: FrameInspector, *, hides_usage: bool, max_event_bytes: int, ids: ResponseIds | None = None
    ) -> None:
        """Begin an answer that is held until its end."""
        super().__init__(inspector, hides_usage=hides_usage, max_event_bytes=max_event_bytes, ids=ids, is_buffered=True)
        self.heartbeat, self.shows_life = b"", False
        self._held: list[bytes] = []

    def _block(self, pieces: list[bytes]) -> bytes:
        """Nothing until the answer is complete, then all of it."""
        self._held.append(super()._block(pieces))
        return b"".join(self._held) if self.progress.phase is Phase.ENDED else b""


class BodyRelay:
    """A non-streaming answer, passed on as it comes. It has no error ending: a failure cuts the connection.

    `may_be_empty`: an empty body is an answer too, such as to a DELETE. `is_json`: it is JSON, which may begin with blanks.
    """

    media_type = "application/json"
    headers = _NO_HEADERS
    heartbeat = b""
    shows_life = False

    def __init__(self, *, may_be_empty: bool = False, is_json: bool = False) -> None:
        """Begin a body of which nothing has come."""
        self.padding = b" " if is_json else b""
        self.progress = Progress()
        self._may_be_empty = may_be_empty
        self._seen = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Return the same bytes."""
        self.padding = b""
        self.progress.content()
        self.progress.chunks += 1
        self.progress.events += 1
        if len(self._seen) <= MAX_INSPECTED_BYTES:
            self._seen += data
        return data

    def end(self) -> bytes:
        """Note that the body is complete: the transport has checked its length."""
        if self._seen or self._may_be_empty:
            self.progress.end()
        self.progress.end_of_body()
        if 0 < len(self._seen) <= MAX_INSPECTED_BYTES:
            body = read_body(bytes(self._seen))
            self.progress.answer_id, self.progress.usage = body.id or "", body.event()
        return b""

    def fail(self, error: AnswerError) -> ErrorEnding:  # noqa: ARG002 - the interface has it
        """Return a mere cut: there is no place for an error in half a JSON object."""
        return ErrorEnding(b"", is_cut=True)


class BodySigning(Protocol):
    """Signs the ids in a whole body."""

    def sign_body(self, body: bytes) -> bytes:
        """Return the body with its ids signed; unchanged where there is nothing to sign."""


class SignedBodyRelay(BodyRelay):
    """A non-streaming answer whose ids are signed, and which is therefore held until it is complete."""

    def __init__(self, ids: BodySigning, *, may_be_empty: bool = False) -> None:
        """Begin a body whose ids are signed with these keys."""
        super().__init__(may_be_empty=may_be_empty, is_json=True)
        self._ids = ids
        self.size: int | None = None
        """The number of bytes of the body; None until it is complete."""

    def feed(self, data: bytes) -> bytes:
        """Return nothing yet."""
        self.progress.content()
        self.progress.chunks += 1
        if len(self._seen) + len(data) > MAX_BUFFERED_BYTES:
            self.progress.fail(UpstreamFrameTooLarge("The answer is too large to be sent in one piece."))
        else:
            self._seen += data
        return b""

    def end(self) -> bytes:
        """Return all of it."""
        super().end()
        body = self._ids.sign_body(bytes(self._seen))
        self.size = len(body)
        return body
