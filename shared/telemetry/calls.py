"""What is said of an answer and of each call to a backend, whether in a metric or in a span: the attributes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.events import Usage
from shared.receipt import AttemptRecord, Receipt
from shared.telemetry.aggregation import Value
from shared.telemetry.names import OTHER, Names

MAX_KNOWN = 100
"""Models and error codes that metrics distinguish; both can be anything that a caller or an upstream sends."""

NO_FAILURES = frozenset({"finished", "client_left", "client_too_slow"})
"""How an answer ends that did not fail: what a client does is no fault of the service's."""


@dataclass(frozen=True, slots=True)
class BackendAddress:
    """Where a backend is. `provider`: OpenTelemetry's name of whose API it serves."""

    provider: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to a backend. `seconds`: until its end; `first_chunk_seconds`: None for one without content, or not streamed."""

    operation: str
    model: str
    backend: str
    outcome: str
    seconds: float
    first_chunk_seconds: float | None
    streams: bool
    usage: Usage | None
    error: str


def error_of(receipt: Receipt) -> str:
    """Return the code that the answer failed with, '' where it did not fail."""
    return "" if receipt.ended in NO_FAILURES else receipt.ended


def _has_answered(attempt: AttemptRecord) -> bool:
    return not attempt.has_failed and attempt.outcome != "abandoned"


@dataclass(slots=True)
class Describer:
    """Writes attributes in the names of one version. `names_callers`: a metric says who asked."""

    names: Names
    backends: Mapping[str, BackendAddress]
    names_callers: bool = False
    _models: set[str] = field(default_factory=set)
    _codes: set[str] = field(default_factory=set)

    def call(self, receipt: Receipt, attempt: AttemptRecord) -> Call:
        """Return the call as it went. The last one that a backend answered lasted as long as its answer, and failed with it."""
        answered = attempt is receipt.attempts[-1] and _has_answered(attempt)
        return Call(
            operation=receipt.operation,
            model=receipt.model,
            backend=attempt.backend,
            outcome=attempt.outcome,
            seconds=receipt.duration_seconds - attempt.began_seconds if answered else attempt.seconds,
            first_chunk_seconds=attempt.seconds
            if answered and receipt.streams and attempt.outcome == "content"
            else None,
            streams=receipt.streams,
            usage=receipt.usage if answered and receipt.operation != "fetch_response" else None,
            error=attempt.outcome if attempt.has_failed else error_of(receipt) if answered else "",
        )

    def rewriting(self, receipt: Receipt, attempt: AttemptRecord) -> Call:
        """Return the call that rewrote a question before its search."""
        tokens = receipt.retrieval.get("rewriting_tokens")
        answered = attempt is receipt.rewriting[-1] and _has_answered(attempt)
        return Call(
            operation="chat",
            model=receipt.model,
            backend=attempt.backend,
            outcome=attempt.outcome,
            seconds=attempt.seconds,
            first_chunk_seconds=None,
            streams=True,
            usage=Usage(tokens["input"], tokens["output"]) if answered and isinstance(tokens, dict) else None,
            error=attempt.outcome if attempt.has_failed else "",
        )

    # Attributes of metrics: few values each.

    def answer(self, receipt: Receipt) -> dict[str, Value]:
        """Return the attributes under which an answer is counted."""
        name = self.names.attributes
        found: dict[str, Value] = {
            name["api"]: receipt.api,
            name["format"]: receipt.format,
            name["ended"]: self.code(receipt.ended),
            name["model"]: self.model(receipt),
            name["backend"]: receipt.backend,
        }
        if self.names_callers:
            found[name["caller"]] = receipt.caller
        return found

    def operation(self, receipt: Receipt, call: Call) -> dict[str, Value]:
        """Return the attributes under which a call is measured."""
        name = self.names.attributes
        found: dict[str, Value] = {
            name["operation"]: call.operation,
            **self._provider(call.backend),
            name["model"]: self.model(receipt),
            name["backend"]: call.backend,
        }
        if call.error:
            found[name["error"]] = self.code(call.error)
        return found

    def first_token(self, receipt: Receipt) -> dict[str, Value]:
        """Return the attributes under which the time to the first token is measured."""
        name = self.names.attributes
        return {
            name["operation"]: receipt.operation,
            **self._provider(receipt.backend),
            name["model"]: self.model(receipt),
            name["backend"]: receipt.backend,
            name["api"]: receipt.api,
        }

    def model(self, receipt: Receipt) -> str:
        """Return the model's name once a backend has answered with it; any other is whatever a caller has sent."""
        known = self._models
        if receipt.model not in known and len(known) < MAX_KNOWN and any(map(_has_answered, receipt.attempts)):
            known.add(receipt.model)
        return receipt.model if receipt.model in known or not receipt.model else OTHER

    def code(self, code: str) -> str:
        """Return an error's code; the upstream may send any."""
        if code not in self._codes and len(self._codes) < MAX_KNOWN:
            self._codes.add(code)
        return code if code in self._codes else OTHER

    # Attributes of spans.

    def answer_span(self, receipt: Receipt) -> dict[str, Value]:
        """Return the attributes of an answer's own span."""
        name = self.names.attributes
        found: dict[str, Value] = {
            name["id"]: receipt.id,
            name["api"]: receipt.api,
            name["format"]: receipt.format,
            name["ended"]: receipt.ended,
            name["model"]: receipt.model,
            name["backend"]: receipt.backend,
            "http.response.status_code": receipt.status,
        }
        if error_of(receipt):
            found[name["error"]] = receipt.ended
        return found

    def retrieval_span(self, receipt: Receipt) -> dict[str, Value]:
        """Return the attributes of the span of a search."""
        name, passages = self.names.attributes, receipt.retrieval.get("passages")
        return {
            name["operation"]: "retrieval",
            name["outcome"]: str(receipt.retrieval.get("outcome", "")),
            name["passages"]: passages if isinstance(passages, int) else 0,
        }

    def call_span(self, call: Call) -> dict[str, Value]:
        """Return the attributes of the span of a call."""
        name = self.names.attributes
        found: dict[str, Value] = {
            name["operation"]: call.operation,
            **self._provider(call.backend),
            name["model"]: call.model,
            name["backend"]: call.backend,
            name["outcome"]: call.outcome,
        }
        if call.streams:
            found[name["stream"]] = True
        if call.first_chunk_seconds is not None:
            found[name["first_chunk"]] = call.first_chunk_seconds
        if call.usage is not None:
            found[name["input_tokens"]] = call.usage.input_tokens
            found[name["output_tokens"]] = call.usage.output_tokens
            found[name["cached_tokens"]] = call.usage.cached_tokens
            found[name["reasoning_tokens"]] = call.usage.reasoning_tokens
        if call.error:
            found[name["error"]] = call.error
        return found

    def _provider(self, backend: str) -> dict[str, Value]:
        name, found = self.names.attributes, self.backends.get(backend)
        if found is None:
            return {}
        return {
            name["provider"]: found.provider,
            name["system"]: found.provider,
            name["address"]: found.host,
            name["port"]: found.port,
        }
