"""The metrics: which instruments there are, and what one answer adds to them. Pure."""

from collections.abc import Iterator

from shared.receipt import Receipt
from shared.telemetry.aggregation import Instrument, Kind, Measurement
from shared.telemetry.calls import Call, Describer, OperationKeys
from shared.telemetry.names import INFERENCE, Names

_SECONDS, _TOKENS = "s", "{token}"
_LIMITS = frozenset({"caller_limit_exceeded", "insufficient_quota", "limits_unavailable"})
_LEFT = frozenset({"client_left", "client_too_slow"})
DURATION_BOUNDARIES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKEN_BOUNDARIES = tuple(float(4**power) for power in range(14))
FIRST_TOKEN_BOUNDARIES = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 320.0, 640.0),
)
"""The conventions' boundaries, and beyond their last one those that a model which thinks for minutes needs."""


class Instruments:
    """The instruments, in the names of one version; `None` for what it does not have."""

    def __init__(self, names: Names) -> None:
        """Name them."""
        self._names = names.metrics
        self.inference_duration = self._histogram("inference_duration", _SECONDS, "GenAI operation duration.")
        self.operation_duration = self._histogram("operation_duration", _SECONDS, "GenAI operation duration.")
        self.time_to_first_chunk = self._histogram(
            "time_to_first_chunk", _SECONDS, "Time to receive the first chunk of a streamed response."
        )
        self.time_to_first_token = self._histogram(
            "time_to_first_token",
            _SECONDS,
            "Time from the request to the first content that was sent, failovers included.",
            FIRST_TOKEN_BOUNDARIES,
        )
        self.token_usage = self._histogram(
            "token_usage", _TOKENS, "Number of input and output tokens used.", TOKEN_BOUNDARIES
        )
        self.input_tokens = self._counter("input_tokens", _TOKENS, "Input tokens used, including cached ones.")
        self.output_tokens = self._counter("output_tokens", _TOKENS, "Output tokens used, including reasoning.")
        self.cached_tokens = self._counter("cached_tokens", _TOKENS, "Input tokens served from a cache.")
        self.reasoning_tokens = self._counter("reasoning_tokens", _TOKENS, "Output tokens used for reasoning.")
        self.answers = self._counter("answers", "{answer}", "Answers, by how they ended.")
        self.failovers = self._counter(
            "failovers", "{call}", "Calls that failed before content, so that another followed."
        )
        self.clients_left = self._counter("clients_left", "{answer}", "Answers whose client left before their end.")
        self.limit_refusals = self._counter("limit_refusals", "{answer}", "Answers refused by a caller's limit.")
        self.open_streams = self._instrument("open_streams", Kind.UP_DOWN, "{answer}", "Answers under way.")
        self.backend_ready = self._instrument(
            "backend_ready",
            Kind.GAUGE,
            "{backend}",
            "1 where no deployment of the backend is cooling down, 0 otherwise.",
        )

    def _histogram(
        self, key: str, unit: str, description: str, boundaries: tuple[float, ...] = DURATION_BOUNDARIES
    ) -> Instrument:
        return Instrument(self._names[key], Kind.HISTOGRAM, unit, description, boundaries)

    def _counter(self, key: str, unit: str, description: str) -> Instrument:
        return self._instrument(key, Kind.COUNTER, unit, description)

    def _instrument(self, key: str, kind: Kind, unit: str, description: str) -> Instrument:
        return Instrument(self._names[key], kind, unit, description)


def measured(receipt: Receipt, instruments: Instruments, describer: Describer) -> list[Measurement]:
    """Return what one answer adds; the names that this version of the conventions does not have are left out."""
    return [one for one in _measured(receipt, instruments, describer) if one[0].name]


def _measured(receipt: Receipt, instruments: Instruments, describer: Describer) -> Iterator[Measurement]:
    name = describer.names.attributes
    yield instruments.answers, 1, describer.answer(receipt)
    calls = [describer.call(receipt, attempt) for attempt in receipt.attempts]
    rewritings = [describer.rewriting(receipt, attempt) for attempt in receipt.rewriting]
    for call in (*rewritings, *calls):
        yield from _of_call(call, describer.operation(receipt, call), instruments)
    for several in (rewritings, calls):
        for call in several[:-1]:
            key = ((name["backend"], call.backend), (name["outcome"], describer.code(call.outcome)))
            yield instruments.failovers, 1, key
    if receipt.first_token_seconds is not None:
        yield instruments.time_to_first_token, receipt.first_token_seconds, describer.first_token(receipt)
    if receipt.ended in _LEFT:
        phase = "streaming" if receipt.first_token_seconds is not None else "waiting" if calls else "sending"
        yield (
            instruments.clients_left,
            1,
            ((name["phase"], phase), (name["ended"], receipt.ended), (name["api"], receipt.api)),
        )
    if receipt.ended in _LIMITS and not calls:  # an upstream's own quota may have the same code
        yield instruments.limit_refusals, 1, ((name["ended"], receipt.ended), (name["api"], receipt.api))


def _of_call(call: Call, keys: OperationKeys, instruments: Instruments) -> Iterator[Measurement]:
    is_inference = call.operation in INFERENCE
    yield instruments.inference_duration if is_inference else instruments.operation_duration, call.seconds, keys.call
    if call.first_chunk_seconds is not None:
        yield instruments.time_to_first_chunk, call.first_chunk_seconds, keys.call
    usage = call.usage
    if usage is None:
        return
    if instruments.token_usage.name:
        yield instruments.token_usage, usage.input_tokens, keys.input
        if call.operation != "embeddings":
            yield instruments.token_usage, usage.output_tokens, keys.output
    else:
        yield instruments.input_tokens, usage.input_tokens, keys.tokens
        yield instruments.output_tokens, usage.output_tokens, keys.tokens
        yield instruments.cached_tokens, usage.cached_tokens, keys.tokens
        yield instruments.reasoning_tokens, usage.reasoning_tokens, keys.tokens
