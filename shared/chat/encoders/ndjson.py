"""Newline-delimited JSON: one event a line, every line ends in LF, errors included. https://jsonlines.org"""

from typing import assert_never

from shared.chat.encoders.encoder import NO_HEADERS
from shared.chat.encoders.event_json import event_json
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Failed, Finished, Reasoning, Source, Started, Step, Usage


class NdjsonEncoder:
    """Known as application/x-ndjson and as application/jsonl."""

    headers = NO_HEADERS
    heartbeat = b'{"type":"heartbeat"}\n'
    padding = b""
    is_buffered = False
    cuts_after_error = True
    """curl reports a cut in its exit status, and nothing else: a script that picks out the words sees no event."""

    def __init__(self, media_type: str = "application/x-ndjson") -> None:
        """Write the same bytes under either name."""
        self.media_type = media_type

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return one line per event."""
        return b"".join([_line(event) for event in events])

    def fail(self, error: ErrorObject) -> bytes:
        """Return a `failed` event."""
        return self.encode([Failed(error)])


def _line(event: AnswerEvent) -> bytes:
    match event:
        case Delta() | Reasoning() | Started() | Step() | Source() | Citation() | Usage() | Finished() | Failed():
            return event_json(event) + b"\n"
        case _:
            assert_never(event)
