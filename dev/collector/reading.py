"""What OTLP's protobuf says, in plain values."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Span:
    """One span. `error`: '' where it did not fail."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    began_ns: int
    ended_ns: int
    attributes: dict[str, Any]
    error: str

    @property
    def seconds(self) -> float:
        """How long it lasted."""
        return (self.ended_ns - self.began_ns) / 1e9


@dataclass(frozen=True)
class Point:
    """One series of a metric. `value`: its sum or last value; `count`: of a histogram, None for any other."""

    metric: str
    unit: str
    attributes: dict[str, Any]
    value: float
    count: int | None


def read_spans(body: bytes) -> list[Span]:
    """Return the spans of an ExportTraceServiceRequest. Raise ValueError for what is none."""
    return [
        Span(
            one.trace_id.hex(),
            one.span_id.hex(),
            one.parent_span_id.hex(),
            one.name,
            one.start_time_unix_nano,
            one.end_time_unix_nano,
            _values(one.attributes),
            (one.status.message or "failed") if one.status.code == one.status.STATUS_CODE_ERROR else "",
        )
        for resource in _parsed(ExportTraceServiceRequest, body).resource_spans
        for scope in resource.scope_spans
        for one in scope.spans
    ]


def read_metrics(body: bytes) -> list[Point]:
    """Return the points of an ExportMetricsServiceRequest. Raise ValueError for what is none."""
    return [
        point
        for resource in _parsed(ExportMetricsServiceRequest, body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in _points(metric)
    ]


def _parsed(kind: Any, body: bytes) -> Any:
    try:
        return kind.FromString(body)
    except Exception as error:  # protobuf's own, which has no public name for all implementations
        raise ValueError("not OTLP") from error


def _points(metric: Any) -> Iterator[Point]:
    data = metric.WhichOneof("data")
    if data == "histogram":
        for one in metric.histogram.data_points:
            yield Point(metric.name, metric.unit, _values(one.attributes), one.sum, one.count)
    elif data in ("sum", "gauge"):
        for one in getattr(metric, data).data_points:
            yield Point(metric.name, metric.unit, _values(one.attributes), getattr(one, one.WhichOneof("value")), None)


def _values(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
