"""The OpenAI API's translations: the upstream's bytes go down as they came; see `translation.Translation`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from shared.errors import AnswerError, UpstreamFrameTooLarge
from shared.events import Usage
from shared.openai_api.inspector import FrameInspector, FrameKind
from shared.sse import HEARTBEAT, FrameSplitter, frame_data, write_frame
from shared.translation import ErrorEnding
from shared.upstream.errors import error_from_event
from shared.upstream.wire import CompletionUsage, ResponseUsage, decode_frame

MAX_INSPECTED_BYTES = 1024 * 1024
"""A whole answer up to this size is looked into for its usage; a larger one only passes."""
MAX_BUFFERED_BYTES = 32 * 1024 * 1024
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class StreamRelay:
    """A stream of events. `hides_usage`: the usage chunk was our wish, not the caller's."""

    media_type = "text/event-stream; charset=utf-8"
    headers = _NO_HEADERS
    heartbeat = HEARTBEAT
    cuts_after_error = True
    """azure-ai-inference, @azure/openai 1.x and others pass over an error event and do not wait for `[DONE]`."""

    def __init__(self, inspector: FrameInspector, *, hides_usage: bool, max_event_bytes: int) -> None:
        self._inspector = inspector
        self._hides_usage = hides_usage
        self._splitter = FrameSplitter(max_event_bytes)
        self._has_told_error = False
        self.has_content = False
        self.is_ended = False
        self.may_have_failed = False
        self.failure: AnswerError | None = None
        self.chunks = 0

    @property
    def usage(self) -> Usage | None:
        """What the upstream told."""
        return self._inspector.usage

    @property
    def answer_id(self) -> str:
        """What the upstream calls it."""
        return self._inspector.answer_id

    def feed(self, data: bytes) -> bytes:
        """All frames of one read leave in one write, up to the ending: what a server says after it changes nothing."""
        out: list[bytes] = []
        try:
            if lone := self._splitter.single_event_data(data):
                return data if self._takes(lone) else b""
            for frame in self._splitter.feed(data):
                self._pass(frame, out)
                if self.failure is not None or self.is_ended:
                    break
        except AnswerError as error:
            self.failure = self._announced_failure() or error
        return b"".join(out)

    def end(self) -> bytes:
        """A last frame without its blank line still counts; clients need the blank line."""
        out: list[bytes] = []
        try:
            if left := self._splitter.flush():
                self._pass(left + b"\n\n", out)
        except AnswerError as error:
            self.failure = self._announced_failure() or error
        if self.failure is None:
            self.failure = self._announced_failure()
        return b"".join(out)

    def _announced_failure(self) -> AnswerError | None:
        if self.may_have_failed and self._inspector.error is not None:
            return error_from_event(self._inspector.error)
        return None

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the format's error event, or no more than the cut where the upstream's own event has gone out.

        Before the first content it has not: what was held is dropped with its attempt.
        """
        if self._has_told_error and self.has_content and error is self.failure:
            return ErrorEnding(b"", is_cut=self.cuts_after_error and not self._inspector.has_failed_by_itself)
        name, value = self._inspector.error_frame(error.error_object())
        return ErrorEnding(write_frame(msgspec.json.encode(value), event=name), self.cuts_after_error)

    def _pass(self, frame: bytes, out: list[bytes]) -> None:
        data = frame_data(frame)
        # Without data it is a comment, or a field that only a client may understand.
        if not data or self._takes(data):
            out.append(frame)

    def _takes(self, data: bytes) -> bool:
        """Notes what the frame means; whether the client gets it."""
        kind = self._inspector.classify(data)
        if kind is FrameKind.CONTENT:
            self.has_content = True
            self.chunks += 1
        elif kind is FrameKind.USAGE_ONLY:
            return not self._hides_usage
        elif kind is FrameKind.TERMINAL:
            self.has_content = self.is_ended = True
        elif kind is FrameKind.FAILURE_ANNOUNCED:
            self.may_have_failed = self._has_told_error = True
        elif kind is FrameKind.FAILURE and self._inspector.error is not None:
            self._has_told_error = True
            self.failure = error_from_event(self._inspector.error)
        return True


class BufferedRelay(StreamRelay):
    """A stream that leaves in one piece, because this deployment does not stream."""

    heartbeat = b""

    def __init__(self, inspector: FrameInspector, *, hides_usage: bool, max_event_bytes: int) -> None:
        super().__init__(inspector, hides_usage=hides_usage, max_event_bytes=max_event_bytes)
        self._collected = bytearray()

    def feed(self, data: bytes) -> bytes:
        """Nothing, until the answer is complete."""
        return self._collect(super().feed(data))

    def end(self) -> bytes:
        """Everything, where the answer is complete."""
        return self._collect(super().end())

    def _collect(self, block: bytes) -> bytes:
        self._collected += block
        if len(self._collected) > MAX_BUFFERED_BYTES:
            self.failure = UpstreamFrameTooLarge("The answer is too large to be sent in one piece.")
        return bytes(self._collected) if self.is_ended else b""


class _WholeUsage(msgspec.Struct):
    id: str | None = None
    usage: dict[str, Any] | None = None


_WHOLE = msgspec.json.Decoder(_WholeUsage)


class BodyRelay:
    """An answer in one piece, passed on as it comes. It has no error ending: a failure cuts the connection.

    `may_be_empty`: nothing at all is an answer too, such as to a DELETE.
    """

    media_type = "application/json"
    headers = _NO_HEADERS
    heartbeat = b""

    def __init__(self, *, may_be_empty: bool = False) -> None:
        self._may_be_empty = may_be_empty
        self._seen = bytearray()
        self.has_content = False
        self.is_ended = False
        self.may_have_failed = False
        self.failure: AnswerError | None = None
        self.usage: Usage | None = None
        self.chunks = 0
        self.answer_id = ""

    def feed(self, data: bytes) -> bytes:
        """The same bytes."""
        self.has_content = True
        self.chunks += 1
        if len(self._seen) <= MAX_INSPECTED_BYTES:
            self._seen += data
        return data

    def end(self) -> bytes:
        """The body is complete: the transport has checked its length."""
        self.has_content = self.is_ended = bool(self._seen) or self._may_be_empty
        if 0 < len(self._seen) <= MAX_INSPECTED_BYTES:
            self._look()
        return b""

    def fail(self, error: AnswerError) -> ErrorEnding:  # noqa: ARG002 - the interface has it
        """Return a mere cut: there is no place for an error in half a JSON object."""
        return ErrorEnding(b"", is_cut=True)

    def _look(self) -> None:
        try:
            whole = decode_frame(_WHOLE, bytes(self._seen))
            self.answer_id = whole.id or ""
            if whole.usage is not None:
                self.usage = _usage_event(whole.usage)
        except (AnswerError, msgspec.ValidationError):
            pass  # not an object that tells its usage; it passes all the same


def _usage_event(usage: dict[str, Any]) -> Usage:
    if "input_tokens" in usage:
        return msgspec.convert(usage, ResponseUsage).event()
    return msgspec.convert(usage, CompletionUsage).event()
