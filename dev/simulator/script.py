"""The script of a stream: frames, pauses and ends in order, including faults in the content. Pure: no clock, no socket.

A dialect (chat, responses, completions) formats the frames; the script determines their order, the same for all dialects.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

import msgspec

from dev.simulator.behaviour import Behaviour, InStreamError, Oddity

ODD_EVERY = 5
HALF_A_STRING = b'"cut off'
LONE_SURROGATE = b'"lone \\ud83d surrogate"'


class Frame(msgspec.Struct, frozen=True, gc=False):
    data: bytes
    tokens: int = 0
    """Number of content pieces (deltas of text, reasoning, refusal or arguments)."""
    closing: bool = False
    """Whether it is part of the stream's ending; a connection that ends early ends before it."""
    sequence: int = -1
    """Responses API: the event's sequence number."""


class Pause(msgspec.Struct, frozen=True, gc=False):
    seconds: float


class Stop(msgspec.Struct, frozen=True, gc=False):
    """End the body as required by HTTP, even if the answer is incomplete."""

    how: Literal["eof"] = "eof"


Step = Frame | Pause | Stop


class Dialect(Protocol):
    def opening(self) -> Iterator[Frame]: ...

    def content(self) -> Iterator[Frame]: ...

    def closing(self) -> Iterator[Frame]: ...

    def empty(self) -> Frame:
        """Return a frame without content, as services send before the first token."""

    def says(self, literal: bytes) -> Frame:
        """Return one content frame; `literal` is a JSON string with its quotes."""

    def odd(self, kind: Oddity) -> Frame | None:
        """Return an unusual frame that a client has to tolerate; None if the dialect has none of the kind."""

    def keepalive(self) -> Frame | None: ...

    def error(self, error: InStreamError) -> Iterator[Frame]: ...

    def size(self) -> int:
        """Return the number of pieces of the content."""

    def whole(self) -> dict[str, object]:
        """Return the answer as one JSON body."""


def sse(data: bytes, event: str | None = None) -> bytes:
    """Encode one event of https://html.spec.whatwg.org/multipage/server-sent-events.html, with line feeds."""
    if event is None:
        return b"data: %b\n\n" % data
    return b"event: %b\ndata: %b\n\n" % (event.encode(), data)


def script(dialect: Dialect, behaviour: Behaviour, interval: float) -> Iterator[Step]:
    error = behaviour.in_stream_error
    fault_at = -1 if behaviour.after is None else max(behaviour.after, 0)
    yield from dialect.opening()
    for _ in range(behaviour.empty_before):
        yield from silence(dialect, behaviour, interval)
        yield dialect.empty()
    yield from silence(dialect, behaviour, behaviour.start_delay)
    if error is not None and error.at == "before_content":
        yield from dialect.error(error)
        yield Stop()
        return
    sent = 0
    for frame in dialect.content():
        if frame.tokens:
            if error is not None and error.at == sent:
                yield from dialect.error(error)
                yield Stop()
                return
            if behaviour.keepalive is None:
                yield from silence(dialect, behaviour, interval)
            if sent == fault_at:
                yield from _fault(dialect, behaviour)
            if sent == 0 and behaviour.surrogate:
                yield dialect.says(LONE_SURROGATE)
            if behaviour.odd and sent % ODD_EVERY == 0:
                for kind in behaviour.odd:
                    odd = dialect.odd(kind)
                    if odd is not None:
                        yield odd
            sent += 1
        yield frame
        # A keepalive takes a sequence number, so it has to be created before the next frame.
        if frame.tokens and behaviour.keepalive is not None and sent < dialect.size():
            yield from silence(dialect, behaviour, interval)
    if error is not None:
        yield from dialect.error(error)
        yield Stop()
        return
    if not 0 <= fault_at < sent:
        yield from _fault(dialect, behaviour)
    yield from dialect.closing()


def silence(dialect: Dialect, behaviour: Behaviour, seconds: float | None) -> Iterator[Step]:
    """Wait; None: indefinitely."""
    every = behaviour.keepalive
    while every is not None and (seconds is None or seconds > every):
        yield Pause(every)
        seconds = None if seconds is None else seconds - every
        frame = dialect.keepalive()
        if frame is not None:
            yield frame
    if seconds is None:
        yield Pause(float("inf"))
    elif seconds:
        yield Pause(seconds)


def _fault(dialect: Dialect, behaviour: Behaviour) -> Iterator[Step]:
    if behaviour.end == "malformed":
        whole = dialect.says(HALF_A_STRING)
        before, begun, _ = whole.data.partition(HALF_A_STRING)
        yield Frame(before + begun + b"\n\n", sequence=whole.sequence)
    elif behaviour.end == "huge_frame":
        yield dialect.says(b'"%b"' % (b"x" * behaviour.huge_bytes))
    elif behaviour.end == "stall":
        yield from silence(dialect, behaviour, None)
