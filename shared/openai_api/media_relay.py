"""The translations of images and audio: the upstream's bytes go down as they came; see `relay`."""

from collections.abc import Sequence

from shared.errors import AnswerError, ErrorObject
from shared.events import Usage
from shared.openai_api.inspector import ErrorFrame, FrameKind
from shared.openai_api.relay import BodyRelay, StreamRelay
from shared.sse import DONE
from shared.translation import ErrorEnding
from shared.upstream.errors import read_error
from shared.upstream.wire.frames import NO_EXPLANATION
from shared.upstream.wire.media import SEARCHED_BYTES, body_usage, decode_media_event, read_usage

_PREAMBLE = frozenset({"keepalive"})
_BLANK = b" \t\r\n"


class MediaInspector:
    """Reads the events of one stream; see `inspector.FrameInspector`.

    `ending`: the type of the event that ends it, once it has come `count` times. `[DONE]` ends it too: some compatible servers
    have no such event.
    """

    answer_id = ""
    has_response = False
    has_own_ending = False
    cuts_after_error = True
    shows_life = False  # no client expects a keepalive among these events: comments are what it gets in silence
    shows_failure = True  # an event with an error object, which every client raises

    def __init__(self, ending: str, *, count: int = 1) -> None:
        """Begin at the stream's first frame."""
        self.usage: Usage | None = None
        self.error: ErrorObject | None = None
        self._ending = ending
        self._left = count

    def classify(self, data: bytes) -> FrameKind:
        """Return what the frame is. Raise `UpstreamMalformed`."""
        if data == DONE:
            return FrameKind.TERMINAL
        event = decode_media_event(data)
        if event.error is not None or event.type == "error":
            flat = {"code": event.code, "message": event.message, "param": event.param}
            self.error = read_error(event.error or flat, fallback=NO_EXPLANATION)
            return FrameKind.FAILURE
        self.usage = _sum(self.usage, read_usage(event.usage))
        if event.type == self._ending:
            self._left -= 1
            if not self._left:
                return FrameKind.TERMINAL
        return FrameKind.PREAMBLE if event.type in _PREAMBLE else FrameKind.CONTENT

    def error_frames(self, error: ErrorObject, *, is_said: bool, answer_id: str) -> Sequence[ErrorFrame]:  # noqa: ARG002
        """Return an `error` event with the error object, which the openai packages raise."""
        return () if is_said else ((b"error", {"type": "error", "error": error}),)


class MediaBodyRelay(BodyRelay):
    """An answer in one body: JSON, text or a sound, passed on as it comes. It is never held, since an image is megabytes."""

    def __init__(
        self, *, media_type: str = "application/json", may_be_empty: bool = False, is_json: bool = False
    ) -> None:
        """Begin a body of which nothing has come. `media_type`: where the upstream names none."""
        super().__init__(may_be_empty=may_be_empty, is_json=is_json)
        self.media_type = media_type
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """Return the same bytes."""
        self.padding = b""
        self.progress.content()
        self.progress.chunks += 1
        self.progress.events += 1
        if len(self._seen) < SEARCHED_BYTES:
            self._seen += data[: SEARCHED_BYTES - len(self._seen)]
        self._tail = (self._tail + data[-SEARCHED_BYTES:])[-SEARCHED_BYTES:]
        return data

    def end(self) -> bytes:
        """Note that the body is complete: the transport has checked its length."""
        if self._seen or self._may_be_empty:
            self.progress.end()
        self.progress.end_of_body()
        self.progress.usage = body_usage(bytes(self._seen), self._tail)
        return b""


class SoundRelay(MediaBodyRelay):
    """A sound: no part of it is looked at, and nothing but a cut connection says that it is incomplete."""

    def __init__(self) -> None:
        """Begin a sound of which nothing has come."""
        super().__init__(media_type="application/octet-stream")

    def feed(self, data: bytes) -> bytes:
        """Return the same bytes."""
        self.padding = b""
        self.progress.content()
        self.progress.chunks += 1
        self.progress.events += 1
        return data

    def end(self) -> bytes:
        """Note that the sound is complete: the transport has checked its length."""
        if self.progress.chunks:
            self.progress.end()
        self.progress.end_of_body()
        return b""


class StreamOrBody:
    """The answer of models of which some ignore that a stream was asked for: whichever the first byte begins.

    There is no heartbeat before that byte: after one, a body could no longer be sent as what it is.
    """

    def __init__(self, stream: StreamRelay, body: MediaBodyRelay) -> None:
        """Begin an answer that may become either of these."""
        body.progress = stream.progress
        self.progress = stream.progress
        self.media_type = stream.media_type
        self.headers = stream.headers
        self.heartbeat = self.padding = b""
        self.shows_life = False
        self._stream = stream
        self._body = body
        self._current: StreamRelay | MediaBodyRelay | None = None

    def feed(self, data: bytes) -> bytes:
        """Return what can leave."""
        if self._current is None and (text := data.lstrip(_BLANK)):
            self._become(self._body if text.startswith((b"{", b"[")) else self._stream)
        return (self._current or self._stream).feed(data)

    def end(self) -> bytes:
        """Return what can still leave."""
        return (self._current or self._stream).end()

    def fail(self, error: AnswerError) -> ErrorEnding:
        """Return the error ending."""
        return (self._current or self._stream).fail(error)

    def _become(self, kind: StreamRelay | MediaBodyRelay) -> None:
        self._current = kind
        self.media_type, self.headers, self.heartbeat = kind.media_type, kind.headers, kind.heartbeat


def _sum(one: Usage | None, other: Usage | None) -> Usage | None:
    """Return what both cost: each image of a stream has its own usage."""
    if one is None or other is None:
        return one or other
    return Usage(
        one.input_tokens + other.input_tokens,
        one.output_tokens + other.output_tokens,
        one.cached_tokens + other.cached_tokens,
        one.reasoning_tokens + other.reasoning_tokens,
    )
