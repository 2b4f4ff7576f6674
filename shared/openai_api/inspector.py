"""How far the OpenAI API looks into a frame: first content, error, terminal, usage. Nothing is rebuilt from it. Pure."""

from enum import Enum
from typing import Any, Protocol

import msgspec

from shared.errors import ErrorObject
from shared.events import Usage
from shared.sse import DONE
from shared.upstream.errors import read_error
from shared.upstream.wire import CompletionUsage, ResponseUsage, decode_frame

_NO_EXPLANATION = "The model's service ended the answer without an explanation."
_EMPTY = (b"", b"null", b'""', b"[]", b"{}")


class FrameKind(Enum):
    """What a frame means for the life of the stream."""

    PREAMBLE = "preamble"
    CONTENT = "content"
    USAGE_ONLY = "usage"
    TERMINAL = "terminal"
    FAILURE = "failure"
    FAILURE_ANNOUNCED = "failure_announced"
    """A failure is announced; its explanation may come with the next frame."""


class FrameInspector(Protocol):
    """Looks at the data of one frame after another; one per stream."""

    usage: Usage | None
    answer_id: str
    error: ErrorObject | None
    has_failed_by_itself: bool
    """A terminal event of the API's own has said that the answer failed: clients know it for an end, and raise nothing."""

    def classify(self, data: bytes) -> FrameKind:
        """What the frame is. Raises `UpstreamMalformed`."""

    def error_frame(self, error: ErrorObject) -> tuple[bytes, dict[str, Any]]:
        """The event name and the JSON of this format's error ending."""


class _Choice(msgspec.Struct):
    delta: dict[str, msgspec.Raw] | None = None
    text: msgspec.Raw = msgspec.Raw()
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    choices: list[_Choice] | None = None
    usage: CompletionUsage | None = None
    error: Any = None


class _LaterChunk(msgspec.Struct):
    usage: CompletionUsage | None = None
    error: Any = None


_CHUNK = msgspec.json.Decoder(_Chunk)
_LATER_CHUNK = msgspec.json.Decoder(_LaterChunk)


class ChunkInspector:
    """Chat completions and legacy completions."""

    has_failed_by_itself = False

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.answer_id = ""
        self.error: ErrorObject | None = None
        self._has_content = False

    def classify(self, data: bytes) -> FrameKind:
        """See `FrameInspector`."""
        if data == DONE:
            return FrameKind.TERMINAL
        if self._has_content:
            later = decode_frame(_LATER_CHUNK, data)
            if later.usage is None and later.error is None:
                return FrameKind.CONTENT
        chunk = decode_frame(_CHUNK, data)
        self.answer_id = chunk.id or self.answer_id
        self._has_content = self._has_content or any(map(_says_something, chunk.choices or ()))
        if self._has_content and chunk.error is None and chunk.usage is None:
            return FrameKind.CONTENT
        kind = self._usage_or_error(chunk.usage, chunk.error, has_choices=bool(chunk.choices))
        return FrameKind.PREAMBLE if kind is FrameKind.CONTENT and not self._has_content else kind

    def _usage_or_error(self, usage: CompletionUsage | None, error: Any, *, has_choices: bool) -> FrameKind:
        if error is not None:
            self.error = read_error(error, fallback=_NO_EXPLANATION)
            return FrameKind.FAILURE
        if usage is not None:
            self.usage = usage.event()
            if not has_choices:
                return FrameKind.USAGE_ONLY
        return FrameKind.CONTENT

    def error_frame(self, error: ErrorObject) -> tuple[bytes, dict[str, Any]]:
        """`data: {"error": …}`, which every OpenAI client raises."""
        return b"", {"error": error}


def _says_something(choice: _Choice) -> bool:
    if choice.finish_reason or bytes(choice.text) not in _EMPTY:
        return True
    return any(name != "role" and bytes(value) not in _EMPTY for name, value in (choice.delta or {}).items())


class _Response(msgspec.Struct):
    id: str | None = None
    usage: ResponseUsage | None = None
    error: Any = None


class _ResponseEvent(msgspec.Struct):
    type: str = ""
    sequence_number: int | None = None
    response: _Response | None = None
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


_RESPONSE_EVENT = msgspec.json.Decoder(_ResponseEvent)

_RESPONSE_PREAMBLE = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "keepalive",
    }
)


class ResponseInspector:
    """The Responses API. `commits_at_once`: a background response is the caller's as soon as it has an id."""

    def __init__(self, *, commits_at_once: bool = False) -> None:
        self.usage: Usage | None = None
        self.answer_id = ""
        self.error: ErrorObject | None = None
        self.has_failed_by_itself = False
        self._has_failed = False
        self._preamble = frozenset[str]() if commits_at_once else _RESPONSE_PREAMBLE
        self._sequence_number = -1

    def classify(self, data: bytes) -> FrameKind:
        """See `FrameInspector`."""
        event = decode_frame(_RESPONSE_EVENT, data)
        if event.sequence_number is not None:
            self._sequence_number = event.sequence_number
        if event.response is not None:
            self.answer_id = event.response.id or self.answer_id
            if event.response.usage is not None:
                self.usage = event.response.usage.event()
        if event.type == "error":
            flat = {"code": event.code, "message": event.message, "param": event.param}
            self.error = read_error(event.error or flat, fallback=_NO_EXPLANATION)
            return self._failure()
        if event.type in ("response.failed", "response.cancelled"):
            self.has_failed_by_itself = True
            explanation = event.response.error if event.response else None
            if explanation is not None or self.error is None:
                self.error = read_error(explanation or {}, fallback=_NO_EXPLANATION)
            return self._failure()
        if event.type in ("response.completed", "response.incomplete"):
            return FrameKind.TERMINAL
        return FrameKind.PREAMBLE if event.type in self._preamble else FrameKind.CONTENT

    def _failure(self) -> FrameKind:
        """`error` and `response.failed` come in either order, or alone: the second of them ends the stream."""
        kind = FrameKind.FAILURE if self._has_failed else FrameKind.FAILURE_ANNOUNCED
        self._has_failed = True
        return kind

    def error_frame(self, error: ErrorObject) -> tuple[bytes, dict[str, Any]]:
        """An `error` event, flat as documented and nested as Azure sends it: some clients raise only on the latter."""
        flat = {"code": error.code, "message": error.message, "param": error.param}
        return b"error", {"type": "error", "sequence_number": self._sequence_number + 1, **flat, "error": error}
