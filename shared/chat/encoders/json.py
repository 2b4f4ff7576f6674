"""One JSON object: the whole answer at once, when the model has ended it."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from shared.errors import ErrorObject
from shared.events import Delta, Event, Finished, Reasoning, Started, Usage


class _UsageTotals(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


class WholeAnswer(msgspec.Struct, omit_defaults=True):
    """The object. `reasoning` and `usage` are left out where the upstream gave none."""

    id: str
    model: str
    text: str
    finish_reason: str
    reasoning: str | None = None
    usage: _UsageTotals | None = None


class JsonEncoder:
    """Collects, and speaks once."""

    media_type = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})
    heartbeat = b""
    is_buffered = True
    cuts_after_error = True

    def __init__(self) -> None:
        self._started = Started("", "")
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._usage: _UsageTotals | None = None

    def encode(self, events: list[Event]) -> bytes:
        """Nothing until the answer is finished, then all of it."""
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
        return b""

    def fail(self, error: ErrorObject) -> None:
        """None: nothing has been sent when an answer fails."""

    def _answer(self, reason: str) -> WholeAnswer:
        return WholeAnswer(
            self._started.id,
            self._started.model,
            "".join(self._text),
            reason,
            "".join(self._reasoning) or None,
            self._usage,
        )
