"""Plain text: the answer's words and nothing else. It has no heartbeat and no error form: a failure cuts the connection."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import assert_never

from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Failed, Finished, Reasoning, Source, Started, Step, Usage


class TextEncoder:
    """For a terminal, a pipe, a person."""

    media_type = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = MappingProxyType({"x-content-type-options": "nosniff"})
    heartbeat = b""
    padding = b""
    is_buffered = False
    cuts_after_error = True
    """Only an end without the closing chunk tells a reader of plain text that words are missing."""

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return the text of the deltas; no other event has a place in plain text."""
        return "".join([_text(event) for event in events]).encode()

    def fail(self, error: ErrorObject) -> None:
        """Return None: whatever is written would be read as the model's words."""


def _text(event: AnswerEvent) -> str:
    match event:
        case Delta():
            return event.text
        case Reasoning() | Started() | Step() | Source() | Citation() | Usage() | Finished() | Failed():
            return ""
        case _:
            assert_never(event)
