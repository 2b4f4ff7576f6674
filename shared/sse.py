"""Server-sent events, both ways: an incremental splitter and a frame writer. Pure: no await, no clock, no request.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation: lines end in CR, LF
or CRLF (never U+2028 and friends, so `splitlines` is not used), a blank line ends a frame, a leading BOM is dropped.
The bytes of a frame are kept as they came, so that a relay can pass them on unchanged.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator

from shared.errors import UpstreamFrameTooLarge

DONE = b"[DONE]"
"""The data of OpenAI's last frame, https://platform.openai.com/docs/api-reference/chat-streaming; it is not JSON."""

HEARTBEAT = b": heartbeat\n\n"
"""A comment, as a block of its own: front ends that cut at blank lines lose the event to which a comment is glued."""
HEARTBEAT_AFTER_ID = b": heartbeat\n"
"""The same where an `id:` may have gone by: from then on OpenAI's Python client and httpx-sse take a block without data for an
event."""

# Atomic groups: without them `\r\n` would be taken for two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_IS_DATA = re.compile(rb"data(?::|\Z)")


def is_done(data: bytes) -> bool:
    """Return whether a frame's data is OpenAI's `[DONE]`; some servers write a blank after it."""
    return data.startswith(DONE) and data.rstrip() == DONE


def has_id(frame: bytes) -> bool:
    """Return whether a frame may set the id of the last event: no JSON has a line of its own that begins so."""
    # NOTE: `find` takes a quarter of the time of `in`, which asks every bytes object for a buffer.
    return frame.startswith(b"id") or frame.find(b"\nid") >= 0 or frame.find(b"\rid") >= 0


class FrameSplitter:
    """Cut a stream of bytes into complete frames, however the network cut it.

    At most `max_frame_bytes` and one read are held; a longer frame raises `UpstreamFrameTooLarge`, after those before it.
    The work grows with the bytes, not with the number of reads that a frame comes in.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        """Begin at the start of a stream."""
        self._max = max_frame_bytes
        self._held = bytearray()
        self._at_start = True

    def single_event_data(self, data: bytes) -> bytes | None:
        """Return the data where these bytes are exactly one frame of one `data: ` line, as nearly every read is.

        Return None where they are not; then they are to be fed.
        """
        if self._held or self._at_start or len(data) > self._max:
            return None
        return _single_data(data)

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Take the next bytes; return the frames that are complete now, each with its blank line.

        The iteration raises `UpstreamFrameTooLarge`.
        """
        if self._held:
            is_within = len(self._held) + len(data) <= self._max and not self._at_start
            # A blank line is a line end right after another one, so of what is held only the last byte matters.
            if is_within and not _has_blank_line(self._held[-1:] + data):
                self._held += data
                return []
            data = bytes(self._held) + data
        if self._at_start:
            if len(data) < len(BOM_UTF8) and BOM_UTF8.startswith(data):
                self._held[:] = data
                return []
            data = data.removeprefix(BOM_UTF8)
            self._at_start = False
        frames = _cut_lf(data) if b"\r" not in data else _cut_any(data)
        rest = frames.pop()
        if rest or self._held:
            self._held[:] = rest
        if len(data) > self._max and max(map(len, (rest, *frames))) > self._max:
            return self._up_to_the_bound(frames)
        return frames

    def flush(self) -> bytes:
        """Return what is left when the stream ends: the start of a frame whose blank line never came."""
        left = bytes(self._held)
        self._held.clear()
        return left

    def _up_to_the_bound(self, frames: list[bytes]) -> Iterator[bytes]:
        for frame in frames:
            if len(frame) > self._max:
                break
            yield frame
        raise UpstreamFrameTooLarge("The upstream sent an event that is larger than this service accepts.")


def _has_blank_line(data: bytearray) -> bool:
    return b"\n\n" in data if b"\r" not in data else _BLANK_LINE.search(data) is not None


def _cut_lf(data: bytes) -> list[bytes]:
    """Return the frames and, as the last element, the unfinished rest, where every line ends in LF."""
    parts = data.split(b"\n\n")
    rest = parts.pop()
    frames = [part + b"\n\n" for part in parts]
    frames.append(rest)
    return frames


def _cut_any(data: bytes) -> list[bytes]:
    """Return the frames and, as the last element, the unfinished rest, with any mixture of line ends."""
    frames: list[bytes] = []
    start = 0
    for match in _BLANK_LINE.finditer(data):
        # NOTE: a frame that the network cut inside its last `\r\n` is complete already; the `\n` opens the next one, where
        # an empty line means nothing.
        frames.append(data[start : match.end()])
        start = match.end()
    frames.append(data[start:])
    return frames


def _single_data(frame: bytes) -> bytes | None:
    """Return the data of a frame that is one `data: ` line and its blank line, both ended by LF; None for any other."""
    is_single = frame.startswith(b"data: ") and frame.endswith(b"\n\n") and frame.find(b"\n") == len(frame) - 2
    return frame[6:-2] if is_single and b"\r" not in frame else None


def frame_data(frame: bytes) -> bytes | None:
    """Return the frame's `data` lines joined by LF, or None where it has none (a comment, an `event:` alone)."""
    single = _single_data(frame)
    if single is not None:
        return single
    data: list[bytes] = []
    for line in frame.split(b"\n") if b"\r" not in frame else _LINE_END.split(frame):
        if line.startswith(b"data:"):
            value = line[5:]
            data.append(value[1:] if value.startswith(b" ") else value)
        elif line == b"data":
            data.append(b"")
    return b"\n".join(data) if data else None


def write_frame(data: bytes, *, event: bytes = b"") -> bytes:
    """Return one frame of one line of data (JSON has no raw line ends), with its event name where one is given."""
    if event:
        return b"event: " + event + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"


def with_data(frame: bytes, data: bytes) -> bytes:
    """Return the frame with other data. Its other fields, such as the event's name, stay; lines end in LF."""
    lines = [line for line in _LINE_END.split(frame) if line and not _IS_DATA.match(line)]
    return b"".join(line + b"\n" for line in [*lines, *(b"data: " + line for line in data.split(b"\n")), b""])
