"""The access log record of each answer, called its receipt: who asked, what answered, how long it took, how it ended.

Never a prompt, an answer, a key or a token.
"""

import logging
import time
from dataclasses import dataclass, field

import msgspec

from shared.events import Usage
from shared.surrogates import replace_surrogates
from shared.trace import AnswerTrace
from shared.version import VERSION

_log = logging.getLogger(__name__)
LOGGER_NAME = __name__

_NO_FAILURES = frozenset({"content", "alive", "abandoned"})
"""See `attempts`; every other outcome is an error's code."""


@dataclass(slots=True)
class AttemptRecord:
    """One call to one backend: its outcome, and the seconds until then."""

    backend: str
    outcome: str
    seconds: float
    began_seconds: float = 0.0
    """How long after the answer the call began."""
    span_id: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether the backend failed; otherwise it was answering, for as long as it was asked."""
        return self.outcome not in _NO_FAILURES


@dataclass(frozen=True, slots=True)
class Aside:
    """What else was asked of a model for an answer, such as the query of its search."""

    usage: Usage
    is_estimated: bool = False
    """The model did not report it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What an answer used, as far as it is known at its end.

    `usage`: the model's own count; without one, `output_tokens` are what was seen of it. `is_finished`: the model ended it.
    `was_asked`: the model has begun; otherwise nothing was used but `aside`. `unseen_seconds`: how long the model was at work
    before anything was seen of the answer.
    """

    usage: Usage | None = None
    output_tokens: int = 0
    is_finished: bool = False
    was_asked: bool = True
    unseen_seconds: float = 0.0
    aside: Aside | None = None


@dataclass(slots=True)
class Receipt:
    """The record of one answer: filled in while the answer goes on, logged once at its end as one line of JSON."""

    id: str
    invocation_id: str
    api: str
    trace_id: str = ""
    """The trace that the request belongs to, where the host or the caller named one, or telemetry is on."""
    trace: AnswerTrace | None = None
    """None where telemetry is off."""
    operation: str = ""
    """What the model is asked for, as OpenTelemetry names it."""
    streams: bool = False
    """Whether the model is asked for a stream, whatever its caller gets."""
    caller: str = ""
    format: str = ""
    model: str = ""
    backend: str = ""
    attempts: list[AttemptRecord] = field(default_factory=list)
    status: int = 0
    chunks: int = 0
    usage: Usage | None = None
    retrieval: dict[str, object] = field(default_factory=dict)
    """What became of the search before the answer; empty where there was none."""
    retrieval_began_seconds: float | None = None
    """How long after the answer the search began; None where there was none."""
    rewriting: list[AttemptRecord] = field(default_factory=list)
    """The calls that rewrote the question before the search."""
    resume: dict[str, object] = field(default_factory=dict)
    """How the answer was taken up again; empty where it was not."""
    aside: Aside | None = None
    ended: str = "unknown"
    upstream_request_id: str = ""
    first_token_seconds: float | None = None
    """None where no content was sent."""
    duration_seconds: float = 0.0
    """0 until it is logged."""
    _began: float = field(default_factory=time.monotonic)

    def part(self) -> "Receipt":
        """Return a receipt for a call that is a part of the same answer; it is not logged."""
        return Receipt(
            id=self.id, invocation_id="", api=self.api, trace_id=self.trace_id, trace=self.trace, _began=self._began
        )

    def elapsed(self) -> float:
        """Return for how many seconds the answer has gone on."""
        return time.monotonic() - self._began

    def mark_first_token(self) -> None:
        """Note that the first content is about to be sent; heartbeats may have been sent before it."""
        self.first_token_seconds = self.elapsed()

    def log(self) -> None:
        """Write the record. Never raise: nothing handles an exception after the end of an answer."""
        self.duration_seconds = self.elapsed()
        _log.info("%s", _json(self._record()), extra={"receipt": self})

    def _record(self) -> dict[str, object]:
        """Return the record's fields. Tokens that the upstream did not report are "unknown"."""
        usage = self.usage
        return {
            "event": "answer",
            "version": VERSION,
            "id": self.id,
            "invocation_id": self.invocation_id,
            "trace_id": self.trace_id,
            "api": self.api,
            "operation": self.operation,
            "caller": self.caller,
            "format": self.format,
            "model": self.model,
            "backend": self.backend,
            "attempts": [
                {"backend": tried.backend, "outcome": tried.outcome, "seconds": round(tried.seconds, 3)}
                for tried in self.attempts
            ],
            "status": self.status,
            "time_to_first_token_seconds": None
            if self.first_token_seconds is None
            else round(self.first_token_seconds, 4),
            "duration_seconds": round(self.duration_seconds, 4),
            "chunks": self.chunks,
            "tokens": "unknown"
            if usage is None
            else {
                "input": usage.input_tokens,
                "output": usage.output_tokens,
                "cached": usage.cached_tokens,
                "reasoning": usage.reasoning_tokens,
            },
            **({"retrieval": self.retrieval} if self.retrieval else {}),
            **({"resume": self.resume} if self.resume else {}),
            "ended": self.ended,
            "upstream_request_id": self.upstream_request_id,
        }


def _json(record: dict[str, object]) -> str:
    try:
        return msgspec.json.encode(record).decode()
    except UnicodeEncodeError:  # a lone surrogate, out of somebody's JSON
        return msgspec.json.encode(replace_surrogates(record)).decode()
