"""Server-sent events, both ways: an incremental splitter and a frame writer. Pure: no await, no clock, no request.

Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation: lines end in CR, LF
or CRLF (never U+2028 and friends, so `splitlines` is not used), a blank line ends a frame, a leading BOM is dropped.
The bytes of a frame are kept as they came, so that a relay can pass them on unchanged.
"""

import re
from collections.abc import Iterable, Iterator

from shared.errors import UpstreamFrameTooLarge

DONE = b"[DONE]"
"""The data of OpenAI's last frame, https://platform.openai.com/docs/api-reference/chat-streaming; it is not JSON."""

# Atomic groups: without them `\r\n` would be taken for two line ends.
_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class FrameSplitter:
    """Cuts a stream of bytes into whole frames, however the network cut it.

    At most `max_frame_bytes` are ever held; a longer frame raises `UpstreamFrameTooLarge`, after those before it.
    """

    def __init__(self, max_frame_bytes: int) -> None:
        self._max = max_frame_bytes
        self._held = b""
        self._at_start = True

    def single_event_data(self, data: bytes) -> bytes | None:
        """The data of these bytes where they are exactly one frame of one `data: ` line, which nearly every read is.

        Where they are not: None, and then they are to be fed.
        """
        if self._held or self._at_start or len(data) > self._max:
            return None
        return _single_data(data)

    def feed(self, data: bytes) -> Iterable[bytes]:
        """Takes the next bytes and gives the frames that are whole now, each with its blank line."""
        if self._held:
            data = self._held + data
        if self._at_start:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._held = data
                return []
            data = data.removeprefix(_BOM)
            self._at_start = False
        frames = _cut_lf(data) if b"\r" not in data else _cut_any(data)
        self._held = frames.pop()
        if len(data) > self._max and max(map(len, (self._held, *frames))) > self._max:
            return self._up_to_the_bound(frames)
        return frames

    def _up_to_the_bound(self, frames: list[bytes]) -> Iterator[bytes]:
        for frame in (*frames, self._held):
            if len(frame) > self._max:
                raise UpstreamFrameTooLarge("The upstream sent an event that is larger than this service accepts.")
            if frame is not self._held:
                yield frame

    def flush(self) -> bytes:
        """What is left when the stream ends: the start of a frame whose blank line never came."""
        left, self._held = self._held, b""
        return left


def _cut_lf(data: bytes) -> list[bytes]:
    """The usual case, LF only. The last element is the unfinished rest."""
    parts = data.split(b"\n\n")
    rest = parts.pop()
    frames = [part + b"\n\n" for part in parts]
    frames.append(rest)
    return frames


def _cut_any(data: bytes) -> list[bytes]:
    """Any mixture of line ends. The last element is the unfinished rest."""
    frames: list[bytes] = []
    start = 0
    for match in _BLANK_LINE.finditer(data):
        # NOTE: a frame that the network cut inside its last `\r\n` is whole already; the `\n` opens the next one, where
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
    """The frame's data: its `data` lines joined by LF, or None where it has none (a comment, a lone `event:`)."""
    single = _single_data(frame)
    if single is not None:
        return single
    data: list[bytes] = []
    for line in _LINE_END.split(frame):
        if line.startswith(b"data:"):
            value = line[5:]
            data.append(value[1:] if value.startswith(b" ") else value)
        elif line == b"data":
            data.append(b"")
    return b"\n".join(data) if data else None


def write_frame(data: bytes, *, event: bytes = b"") -> bytes:
    """One frame of one line of data (JSON has no raw line ends), with its event name where one is given."""
    if event:
        return b"event: " + event + b"\ndata: " + data + b"\n\n"
    return b"data: " + data + b"\n\n"


HEARTBEAT = b": heartbeat\n"
"""A comment with one line end and no blank line: the one form that OpenAI's Python client survives at any place."""
