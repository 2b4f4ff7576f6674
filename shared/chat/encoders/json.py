"""One JSON object: the complete answer, when the model has ended it."""

from typing import assert_never

import msgspec

from shared.chat.encoders.encoder import NO_HEADERS
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Delta, Failed, Finished, Reasoning, Started, Step, Usage


class _UsageTotals(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class Answer(msgspec.Struct, omit_defaults=True):
    """The object. `reasoning` and `usage` are left out where the upstream gave none."""

    id: str
    model: str
    text: str
    finish_reason: str
    reasoning: str | None = None
    usage: _UsageTotals | None = None


class JsonEncoder:
    """Collect the events, and write once."""

    media_type = "application/json"
    headers = NO_HEADERS
    heartbeat = b""
    is_buffered = True
    cuts_after_error = True

    def __init__(self) -> None:
        """Begin an answer of which nothing is known."""
        self._started = Started("", "")
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._usage: _UsageTotals | None = None

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return b'' until the answer is finished, then all of it. Steps have no place in the object."""
        for event in events:
            match event:
                case Delta(text):
                    self._text.append(text)
                case Reasoning(text):
                    self._reasoning.append(text)
                case Started():
                    self._started = event
                case Usage():
                    self._usage = _UsageTotals(
                        event.input_tokens, event.output_tokens, event.cached_tokens, event.reasoning_tokens
                    )
                case Finished(reason):
                    return msgspec.json.encode(self._answer(reason))
                case Step() | Failed():
                    pass
                case _:
                    assert_never(event)
        return b""

    def fail(self, error: ErrorObject) -> None:
        """Return None: nothing has been sent when an answer fails."""

    def _answer(self, reason: str) -> Answer:
        return Answer(
            self._started.id,
            self._started.model,
            "".join(self._text),
            reason,
            "".join(self._reasoning) or None,
            self._usage,
        )
