"""The spans of one answer: its own, one per call to a backend below it, one for the search before it. Pure.

    answer (INTERNAL)
    ├── retrieval (INTERNAL)
    │   └── chat gpt (CLIENT)        the question is rewritten
    ├── chat gpt (CLIENT)            one that failed over
    └── chat gpt (CLIENT)            one that answered; with the tokens

Never a prompt, an answer, a query or a title.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from shared.receipt import AttemptRecord, Receipt
from shared.telemetry.aggregation import Value
from shared.telemetry.calls import Call, Describer, error_of
from shared.trace import AnswerTrace, new_span_id

_NANOSECONDS = 1_000_000_000


class SpanKind(Enum):
    """The kinds that occur, with their numbers in OTLP."""

    INTERNAL = 1
    CLIENT = 3


@dataclass(slots=True, kw_only=True)
class Span:
    """One span. `error`: '' where it did not fail. `ratio`: the share of traces that were sampled like this one."""

    name: str
    kind: SpanKind
    trace_id: str
    span_id: str
    parent_id: str
    state: str
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Value]
    error: str
    ratio: float


@dataclass(slots=True, kw_only=True)
class _Part:
    """A part of an answer. `began_seconds`: how long after the answer it began."""

    name: str
    kind: SpanKind
    span_id: str
    parent_id: str
    began_seconds: float
    seconds: float
    attributes: Mapping[str, Value]
    error: str


@dataclass(frozen=True, slots=True)
class _Timeline:
    """When the answer began, on the wall's clock; its parts are known by their distance from there."""

    trace: AnswerTrace
    began_ns: int

    def span(self, part: _Part) -> Span:
        start = self.began_ns + int(part.began_seconds * _NANOSECONDS)
        return Span(
            name=part.name,
            kind=part.kind,
            trace_id=self.trace.trace_id,
            span_id=part.span_id,
            parent_id=part.parent_id,
            state=self.trace.state,
            start_ns=start,
            end_ns=start + int(max(part.seconds, 0.0) * _NANOSECONDS),
            attributes=part.attributes,
            error=part.error,
            ratio=self.trace.ratio,
        )


def spans_of(receipt: Receipt, ended_at: float, describer: Describer) -> list[Span]:
    """Return the spans of an answer that ended at that time, in seconds since 1970; none where it is not sampled."""
    trace = receipt.trace
    if trace is None or not trace.is_sampled:
        return []
    line = _Timeline(trace, int((ended_at - receipt.duration_seconds) * _NANOSECONDS))
    own = _Part(
        name="answer",
        kind=SpanKind.INTERNAL,
        span_id=trace.span_id,
        parent_id=trace.parent_id,
        began_seconds=0.0,
        seconds=receipt.duration_seconds,
        attributes=describer.answer_span(receipt),
        error=error_of(receipt),
    )
    calls = (
        _call(describer.call(receipt, attempt), attempt, describer, parent_id=trace.span_id)
        for attempt in receipt.attempts
    )
    return [line.span(part) for part in (own, *_retrieval(receipt, trace, describer), *calls)]


def _retrieval(receipt: Receipt, trace: AnswerTrace, describer: Describer) -> Iterator[_Part]:
    if receipt.retrieval_began_seconds is None:
        return
    span_id = new_span_id()
    outcome = str(receipt.retrieval.get("outcome", ""))
    known = (receipt.retrieval.get(name) for name in ("rewriting_seconds", "search_seconds"))
    yield _Part(
        name="retrieval",
        kind=SpanKind.INTERNAL,
        span_id=span_id,
        parent_id=trace.span_id,
        began_seconds=receipt.retrieval_began_seconds,
        seconds=sum(one for one in known if isinstance(one, float)),
        attributes=describer.retrieval_span(receipt),
        error="" if outcome in ("found", "empty", "abandoned") else outcome,
    )
    for attempt in receipt.rewriting:
        yield _call(describer.rewriting(receipt, attempt), attempt, describer, parent_id=span_id)


def _call(call: Call, attempt: AttemptRecord, describer: Describer, *, parent_id: str) -> _Part:
    return _Part(
        name=f"{call.operation} {call.model}".rstrip(),
        kind=SpanKind.CLIENT,
        span_id=attempt.span_id or new_span_id(),
        parent_id=parent_id,
        began_seconds=attempt.began_seconds,
        seconds=call.seconds,
        attributes=describer.call_span(call),
        error=call.error,
    )
