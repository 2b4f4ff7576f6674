"""What is said of an answer and of each call to a backend, whether in a metric or in a span: the attributes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.events import Usage
from shared.receipt import AttemptRecord, Receipt
from shared.telemetry.aggregation import Key, Value
from shared.telemetry.names import OTHER, Names

MAX_KNOWN = 100
"""Models and error codes that metrics distinguish; both can be anything that a caller or an upstream sends."""

MAX_KEYS = 1000
"""Sets of attributes that are kept; a caller's name can be one of many."""

_ANSWER = ("api", "format", "ended", "model", "backend")

NO_FAILURES = frozenset({"finished", "client_left", "client_too_slow"})
"""How an answer ends that did not fail: what a client does is no fault of the service's."""


@dataclass(frozen=True, slots=True)
class BackendAddress:
    """Where a backend is. `provider`: OpenTelemetry's name of whose API it serves."""

    provider: str
    host: str
    port: int


@dataclass(slots=True, kw_only=True)
class Call:
    """One call to a backend. `seconds`: until its end; `first_chunk_seconds`: None for one without content, or not streamed.

    Not frozen, nor is a span: that would take three times as long to make, for each answer.
    """

    operation: str
    model: str
    backend: str
    outcome: str
    seconds: float
    first_chunk_seconds: float | None
    streams: bool
    usage: Usage | None
    error: str


class OperationKeys(NamedTuple):
    """The attributes under which a call is measured, and its tokens: in either version's way."""

    call: Key
    input: Key
    output: Key
    tokens: Key


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
    _keys: dict[tuple[str, ...], Key] = field(default_factory=dict)
    _operations: dict[tuple[str, ...], OperationKeys] = field(default_factory=dict)
    """Made once: most answers differ in nothing that a metric distinguishes."""
    _providers: dict[str, Mapping[str, Value]] = field(default_factory=dict)

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

    def answer(self, receipt: Receipt) -> Key:
        """Return the attributes under which an answer is counted."""
        caller = receipt.caller if self.names_callers else ""
        said = (receipt.api, receipt.format, self.code(receipt.ended), self.model(receipt), receipt.backend, caller)
        found = self._keys.get(said)
        if found is None:
            name = self.names.attributes
            found = tuple(zip(map(name.__getitem__, _ANSWER), said[:-1], strict=True))
            if self.names_callers:
                found += ((name["caller"], caller),)
            self._keep(self._keys, said, found)
        return found

    def operation(self, receipt: Receipt, call: Call) -> OperationKeys:
        """Return the attributes under which a call and its tokens are measured."""
        said = (call.operation, self.model(receipt), call.backend, self.code(call.error) if call.error else "")
        found = self._operations.get(said)
        if found is None:
            operation, model, backend, error = said
            name = self.names.attributes
            plain = self._called(operation, model, backend)
            key = (*plain, (name["error"], error)) if error else plain
            found = OperationKeys(
                call=key,
                input=(*key, (name["token_type"], "input")),
                output=(*key, (name["token_type"], "output")),
                tokens=(*plain, (name["token_modality"], "unknown")),
            )
            self._keep(self._operations, said, found)
        return found

    def first_token(self, receipt: Receipt) -> Key:
        """Return the attributes under which the time to the first token is measured."""
        said = (receipt.operation, self.model(receipt), receipt.backend, receipt.api)
        found = self._keys.get(said)
        if found is None:
            found = (*self._called(*said[:3]), (self.names.attributes["api"], receipt.api))
            self._keep(self._keys, said, found)
        return found

    def _called(self, operation: str, model: str, backend: str) -> Key:
        name = self.names.attributes
        where = self._provider(backend).items()
        return ((name["operation"], operation), *where, (name["model"], model), (name["backend"], backend))

    @staticmethod
    def _keep[T](known: dict[tuple[str, ...], T], said: tuple[str, ...], found: T) -> None:
        if len(known) >= MAX_KEYS:
            known.clear()
        known[said] = found

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

    def _provider(self, backend: str) -> Mapping[str, Value]:
        found, address = self._providers.get(backend), self.backends.get(backend)
        if address is None:
            return {}
        if found is None:
            name = self.names.attributes
            found = self._providers[backend] = {
                name["provider"]: address.provider,
                name["system"]: address.provider,
                name["address"]: address.host,
                name["port"]: address.port,
            }
        return found
