"""One JSON object: the complete answer, when the model has ended it."""

from typing import Any, assert_never

import msgspec

from shared.chat.encoders.encoder import NO_HEADERS
from shared.chat.encoders.step_list import StepList, fields_of
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Failed, Finished, Reasoning, Source, Started, Step, Usage


class _UsageTotals(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class Answer(msgspec.Struct, omit_defaults=True):
    """The object. Left out is what there is none of: reasoning, usage, steps, sources, citations."""

    id: str
    model: str
    text: str
    finish_reason: str
    reasoning: str | None = None
    usage: _UsageTotals | None = None
    steps: list[dict[str, Any]] = msgspec.field(default_factory=list)
    sources: list[dict[str, Any]] = msgspec.field(default_factory=list)
    citations: list[dict[str, Any]] = msgspec.field(default_factory=list)


class JsonEncoder:
    """Collect the events, and write once."""

    media_type = "application/json"
    headers = NO_HEADERS
    heartbeat = b""
    padding = b" "
    is_buffered = True
    cuts_after_error = True

    def __init__(self) -> None:
        """Begin an answer of which nothing is known."""
        self._started = Started("", "")
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._usage: _UsageTotals | None = None
        self._steps = StepList()
        self._sources: list[dict[str, Any]] = []
        self._citations: list[dict[str, Any]] = []

    def encode(self, events: list[AnswerEvent]) -> bytes:  # noqa: C901 - one branch for each event
        """Return b'' until the answer is finished, then all of it."""
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
                case Step():
                    self._steps.note(event)
                case Source():
                    self._sources.append(fields_of(event))
                case Citation():
                    self._citations.append(fields_of(event))
                case Failed():
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
            self._steps.steps,
            self._sources,
            self._citations,
        )
