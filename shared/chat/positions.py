"""Where a reader of an answer is, in each format: what it has had is dropped, the rest is numbered. Pure.

The answer is always read from its beginning, and encoded from there: an encoder that has open parts, or counts, is right
without anything being stored. A number has two halves, `characters * OTHERS + others`: how much text has come, and how many
other events. So a position holds too where the same text comes in other pieces, written from the complete answer.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from shared.chat.encoders import FORMATS, Encoder
from shared.chat.encoders.event_json import event_json
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Delta, Reasoning, Started
from shared.sse import HEARTBEAT_AFTER_ID, write_frame

MAX_POSITION = 2**31
"""A position is a number from a stranger."""
OTHERS = 512
"""An answer may have more events than text that are no text: then the last of them share a number, and come again."""
MOVED = b'{"type":"moved"}'
"""What a process says that stops: the answer goes on, elsewhere."""


class PositionedEncoder(Encoder, Protocol):
    """An encoder whose reader may have had a part of the answer."""

    moved: bytes
    """What sends the reader elsewhere; b'' where the format has no such form."""

    @property
    def needs_pieces(self) -> bool:
        """Whether what is left can only be told from the pieces in which the answer came first."""


class Numbering:
    """Numbers the events of one answer. `after`: the number of the last one that its reader has had; 0 for none.

    `is_rebuilt` returns whether the events are written from the complete answer, and so may be fewer.
    """

    def __init__(self, after: int, is_rebuilt: Callable[[], bool]) -> None:
        """Begin with nothing said."""
        self._characters = self._others = 0
        self._after_characters, self._after_others = divmod(after, OTHERS)
        self._is_rebuilt = is_rebuilt

    @property
    def number(self) -> int:
        """The number of the last event."""
        return self._characters * OTHERS + self._others

    def left(self, event: AnswerEvent) -> AnswerEvent | None:
        """Return what of the event its reader has not had, None for nothing."""
        if isinstance(event, Delta | Reasoning):
            return self._left_of_text(event)
        self._others = min(self._others + 1, OTHERS - 1)
        return None if self._has_had(event) else event

    def _left_of_text(self, event: Delta | Reasoning) -> AnswerEvent | None:
        start = self._characters
        self._characters += len(event.text)
        if self._characters <= self._after_characters:
            return None
        had = self._after_characters - start
        return type(event)(event.text[had:]) if had > 0 else event

    def _has_had(self, event: AnswerEvent) -> bool:
        if self._characters != self._after_characters:
            return self._characters < self._after_characters
        if self._is_rebuilt():
            return isinstance(event, Started) and self._after_others > 0
        return self._others <= self._after_others and self._others < OTHERS - 1


class _Wrapper:
    """Another encoder's format, with positions."""

    moved = b""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.media_type: str = encoder.media_type
        self.headers: Mapping[str, str] = encoder.headers
        self.heartbeat: bytes = encoder.heartbeat
        self.padding: bytes = encoder.padding
        self.is_buffered: bool = encoder.is_buffered
        self.cuts_after_error: bool = encoder.cuts_after_error

    @property
    def needs_pieces(self) -> bool:
        """A position holds in other pieces too."""
        return False

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return the bytes for the next events."""
        return self._encoder.encode(events)

    def fail(self, error: ErrorObject) -> bytes | None:
        """Return the error event: it has no position, because the answer may go on from the one before it."""
        return self._encoder.fail(error)


class _Numbered(_Wrapper):
    def __init__(self, encoder: Encoder, numbering: Numbering) -> None:
        super().__init__(encoder)
        self._numbering = numbering

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return the bytes for what the reader has not had."""
        numbering = self._numbering
        left = [(event, numbering.number) for one in events if (event := numbering.left(one)) is not None]
        return b"".join([self._one(event, number) for event, number in left])

    def _one(self, event: AnswerEvent, number: int) -> bytes:
        raise NotImplementedError


class NumberedFrames(_Numbered):
    """Server-sent events, each with its `id`: a browser's EventSource sends the last one back by itself."""

    moved = write_frame(MOVED, event=b"moved")

    def __init__(self, encoder: Encoder, numbering: Numbering) -> None:
        """Begin an answer whose heartbeats have no blank line of their own: httpx-sse would take it for an event."""
        super().__init__(encoder, numbering)
        self.heartbeat = HEARTBEAT_AFTER_ID

    def _one(self, event: AnswerEvent, number: int) -> bytes:
        return b"id: %d\n%b" % (number, self._encoder.encode([event]))


class NumberedLines(_Numbered):
    """JSON lines, each with its `seq`."""

    moved = MOVED + b"\n"

    def _one(self, event: AnswerEvent, number: int) -> bytes:
        return b'%b,"seq":%d}\n' % (event_json(event)[:-1], number)


class SkippedBytes(_Wrapper):
    """Plain text: its position is the number of bytes."""

    def __init__(self, encoder: Encoder, after: int) -> None:
        """Begin an answer of which the reader has had so much."""
        super().__init__(encoder)
        self._had = after

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return what follows the bytes that the reader has had."""
        written = self._encoder.encode(events)
        left = written[self._had :]
        self._had -= len(written) - len(left)
        return left


class SkippedLines(_Wrapper):
    """The AI Chat Protocol: its position is the number of lines, empty ones aside."""

    def __init__(self, encoder: Encoder, after: int) -> None:
        """Begin an answer of which the reader has had so much."""
        super().__init__(encoder)
        self._had = after

    @property
    def needs_pieces(self) -> bool:
        """A line is a piece of the answer, and nothing in it says which."""
        return self._had > 0

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return what follows the lines that the reader has had."""
        lines = self._encoder.encode(events).splitlines(keepends=True)
        left = lines[self._had :]
        self._had -= len(lines) - len(left)
        return b"".join(left)


def positioned(
    name: str,
    echoed: Mapping[str, Any],
    *,
    after: int,
    is_rebuilt: Callable[[], bool],
) -> PositionedEncoder:
    """Return the encoder of a format, a key of `FORMATS`, for a reader that is at `after`.

    A format in which an answer is one message is written from its beginning.
    """
    encoder = FORMATS[name].encoder(echoed)
    match name:
        case "sse":
            return NumberedFrames(encoder, Numbering(after, is_rebuilt))
        case "ndjson" | "jsonl":
            return NumberedLines(encoder, Numbering(after, is_rebuilt))
        case "text":
            return SkippedBytes(encoder, after)
        case "chat-protocol":
            return SkippedLines(encoder, after)
        case _:
            return _Wrapper(encoder)
