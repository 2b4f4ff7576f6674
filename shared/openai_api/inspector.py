"""What the OpenAI API reads of a frame: first content, failure, ending, usage. Nothing is rebuilt from it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from shared.errors import ErrorObject
from shared.events import Usage
from shared.sse import is_done
from shared.upstream.wire.chat_completions import (
    Ends,
    decode_chunk,
    decode_later_chunk,
    failure_of,
    has_content,
    has_failed,
)
from shared.upstream.wire.frames import FrameKind
from shared.upstream.wire.responses import ENDINGS, Failure, decode_event, is_preamble

__all__ = ["ChunkInspector", "ErrorFrame", "FrameInspector", "FrameKind", "ResponseInspector"]

type ErrorFrame = tuple[bytes, dict[str, Any]]
"""An event's name, b'' for none, and its fields."""


_FAILED: Mapping[str, Any] = {
    "object": "response",
    "status": "failed",
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": None,
}
"""What the openai packages' types require of a response, https://platform.openai.com/docs/api-reference/responses/object."""


class FrameInspector(Protocol):
    """Reads the data of one frame after another; one per stream."""

    usage: Usage | None
    """What the answer cost, once known."""
    answer_id: str
    """The upstream's id of the answer, '' until known."""

    shows_life: bool
    """Whether the API has events for clients to read while the model thinks."""

    has_response: bool
    """Whether the last frame carries a response object."""

    @property
    def error(self) -> ErrorObject | None:
        """Why the answer failed, as far as the stream has said."""

    @property
    def shows_failure(self) -> bool:
        """Whether an event has come that clients take for a failure."""

    @property
    def has_own_ending(self) -> bool:
        """Whether a terminal event of the API's own has said that the answer failed: clients raise nothing then."""

    @property
    def cuts_after_error(self) -> bool:
        """Whether clients may pass over an error event, and take a clean end after it for the answer's."""

    def classify(self, data: bytes) -> FrameKind:
        """Return what the frame is. Raise `UpstreamMalformed`."""

    def error_frames(self, error: ErrorObject, *, is_said: bool, answer_id: str) -> Sequence[ErrorFrame]:
        """Return this format's error ending.

        `is_said`: the upstream's own event about this error has gone out. `answer_id`: the answer's id as its client knows it.
        """


class ChunkInspector:
    """Chat completions and legacy completions."""

    cuts_after_error = True
    """azure-ai-inference, @azure/openai 1.x and others pass over an error event and do not wait for `[DONE]`."""
    has_own_ending = False
    shows_life = False

    def __init__(self) -> None:
        """Begin at the stream's first frame."""
        self.has_response = False
        self.usage: Usage | None = None
        self.answer_id = ""
        self.error: ErrorObject | None = None
        self.shows_failure = False
        self._has_content = False
        self._ends = Ends()

    def classify(self, data: bytes) -> FrameKind:
        """Return what the frame is. Raise `UpstreamMalformed`."""
        if is_done(data):
            return FrameKind.TERMINAL if self._ends.is_complete else FrameKind.CUT
        if self._has_content:
            later = decode_later_chunk(data)
            if later.usage is None and later.error is None and later.choices:
                return FrameKind.ENDING if self._ends.note(later.choices) else FrameKind.CONTENT
        chunk = decode_chunk(data)
        self.answer_id = chunk.id or self.answer_id
        self._has_content = self._has_content or has_content(chunk)
        if has_failed(chunk):
            self.error = failure_of(chunk)
            self.shows_failure = bool(chunk.error)  # clients raise nothing but that
            return FrameKind.FAILURE
        has_end = self._ends.note(chunk.choices or ())
        if chunk.usage is not None:
            self.usage = chunk.usage.event()
            if not chunk.choices:
                return FrameKind.USAGE_ONLY
        if not self._has_content:
            return FrameKind.PREAMBLE
        return FrameKind.ENDING if has_end else FrameKind.CONTENT

    def error_frames(self, error: ErrorObject, *, is_said: bool, answer_id: str) -> Sequence[ErrorFrame]:  # noqa: ARG002
        """Return `{"error": …}` without an event name, which every OpenAI client raises."""
        return () if is_said else ((b"", {"error": error}),)


class ResponseInspector:
    """The Responses API."""

    shows_life = True

    def __init__(self, *, commits_at_once: bool = False, ends_with_failed: bool = False) -> None:
        """Begin at the stream's first frame.

        `commits_at_once`: nothing counts as preamble, because a background response is the caller's once it has an id.
        `ends_with_failed`: the client knows a failure by `response.failed` alone, and by no cut. There is none for a
        background response, which has not failed with its stream.
        """
        self.usage: Usage | None = None
        self.answer_id = ""
        self.has_response = False
        self._failure = Failure()
        self._commits_at_once = commits_at_once
        self._ends_with_failed = ends_with_failed and not commits_at_once
        self._sequence_number = -1
        self._model, self._created_at = "", 0

    @property
    def error(self) -> ErrorObject | None:
        """Why the answer failed, as far as the stream has said."""
        return self._failure.error

    @property
    def shows_failure(self) -> bool:
        """Whether an event has come that clients take for a failure."""
        return self._failure.is_shown

    @property
    def cuts_after_error(self) -> bool:
        """Whether the end needs a cut: openai for Python passes over a flat `error` event of the upstream's."""
        return not self._ends_with_failed

    @property
    def has_own_ending(self) -> bool:
        """Whether a terminal event of the API's own has said that the answer failed."""
        return self._failure.is_terminal

    def classify(self, data: bytes) -> FrameKind:
        """Return what the frame is. Raise `UpstreamMalformed`."""
        event = decode_event(data)
        if event.sequence_number is not None:
            self._sequence_number = event.sequence_number
        self.has_response = event.response is not None
        if event.response is not None:
            self.answer_id = event.response.id or self.answer_id
            self._model = event.response.model or self._model
            self._created_at = event.response.created_at or self._created_at
            if event.response.usage is not None:
                self.usage = event.response.usage.event()
        if failure := self._failure.read(event):
            return failure
        if event.type in ENDINGS:
            return FrameKind.TERMINAL
        if event.type.endswith(".delta"):
            return FrameKind.CONTENT
        return FrameKind.PREAMBLE if is_preamble(event.type) and not self._commits_at_once else FrameKind.ENDING

    def error_frames(self, error: ErrorObject, *, is_said: bool, answer_id: str) -> Sequence[ErrorFrame]:
        """Return an `error` event, flat as documented and nested as Azure sends it: some clients raise only on the latter."""
        frames: list[ErrorFrame] = []
        flat = {"code": error.code, "message": error.message}
        number = self._sequence_number + 1
        if not is_said:
            event = {"type": "error", "sequence_number": number, **flat, "param": error.param, "error": error}
            frames.append((b"error", event))
        if self._ends_with_failed and not self._failure.is_terminal:
            response: dict[str, Any] = {
                "id": answer_id,
                "created_at": self._created_at,
                "model": self._model,
                "error": flat,
                **_FAILED,
            }
            number += len(frames)
            frames.append(
                (b"response.failed", {"type": "response.failed", "sequence_number": number, "response": response})
            )
        return frames
