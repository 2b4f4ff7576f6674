"""What is written by hand is what OpenTelemetry's own definitions read."""

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from shared.telemetry.aggregation import Aggregation, Instrument, Kind
from shared.telemetry.otlp import Envelope, LogEntry
from shared.telemetry.spans import spans_of
from tests.telemetry.receiver import attributes
from tests.telemetry.samples import ANSWER, ENDED_AT, PARENT, TRACE, describer, receipt, trace

ENVELOPE = Envelope({"service.name": "my-app"}, "shared", "1.2.3")


def test_spans_are_read_with_every_field() -> None:
    spans = spans_of(receipt(), ENDED_AT, describer())
    (resource,) = ExportTraceServiceRequest.FromString(ENVELOPE.spans(spans)).resource_spans
    (scope,) = resource.scope_spans
    assert attributes(resource.resource.attributes) == {"service.name": "my-app"}
    assert (scope.scope.name, scope.scope.version) == ("shared", "1.2.3")
    answer, failed, answered = scope.spans
    assert (answer.trace_id.hex(), answer.span_id.hex(), answer.parent_span_id.hex()) == (TRACE, ANSWER, PARENT)
    assert (answer.name, answer.kind, answer.trace_state, answer.flags) == (
        "answer",
        SpanMessage.SPAN_KIND_INTERNAL,
        "vendor=1",
        1,
    )
    assert (answer.end_time_unix_nano - answer.start_time_unix_nano) / 1e9 == 2.0
    assert abs(answer.end_time_unix_nano / 1e9 - ENDED_AT) < 0.001
    assert answer.status.code == Status.STATUS_CODE_UNSET
    assert (failed.kind, failed.status.code, failed.status.message) == (
        SpanMessage.SPAN_KIND_CLIENT,
        Status.STATUS_CODE_ERROR,
        "rate_limit_exceeded",
    )
    assert attributes(answered.attributes) == dict(spans[2].attributes)


def test_a_trace_without_a_parent_or_a_state_has_neither_field() -> None:
    first = trace(parent="")
    body = ENVELOPE.spans(spans_of(receipt(trace=first), ENDED_AT, describer())[:1])
    assert ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans[0].parent_span_id == b""


def test_counters_gauges_and_histograms_are_read_as_what_they_are() -> None:
    sums = Aggregation(is_delta=False, now_ns=iter(range(1, 100)).__next__)
    sums.add([(Instrument("count", Kind.COUNTER, "{answer}", "Answers."), 2, (("backend", "east"),))])
    sums.set(Instrument("open", Kind.UP_DOWN, "1", ""), 7, ())
    sums.set(Instrument("ready", Kind.GAUGE, "1", ""), 0, (("backend", "east"),))
    seconds = Instrument("seconds", Kind.HISTOGRAM, "s", "", (1.0, 2.5))
    sums.add([(seconds, value, (("model", "gpt"), ("port", 443))) for value in (0.5, 2.0, 9.0)])
    body = ENVELOPE.metrics(sums.collect())
    metrics = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics[0].metrics
    count, opened, ready, histogram = metrics
    assert (count.name, count.unit, count.description) == ("count", "{answer}", "Answers.")
    assert count.sum.is_monotonic
    assert count.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    (point,) = count.sum.data_points
    assert (point.as_int, attributes(point.attributes), point.start_time_unix_nano, point.time_unix_nano) == (
        2,
        {"backend": "east"},
        1,
        2,
    )
    assert (opened.sum.is_monotonic, opened.sum.data_points[0].as_int) == (False, 7)
    assert (ready.WhichOneof("data"), ready.gauge.data_points[0].as_int) == ("gauge", 0)
    (point,) = histogram.histogram.data_points
    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([1, 1, 1], [1.0, 2.5])
    assert (point.count, point.sum, point.min, point.max) == (3, 11.5, 0.5, 9.0)
    assert attributes(point.attributes) == {"model": "gpt", "port": 443}


def test_a_difference_says_that_it_is_one() -> None:
    sums = Aggregation(is_delta=True)
    sums.add([(Instrument("count", Kind.COUNTER, "1", ""), 1.5, ())])
    (metric,) = (
        ExportMetricsServiceRequest.FromString(ENVELOPE.metrics(sums.collect()))
        .resource_metrics[0]
        .scope_metrics[0]
        .metrics
    )
    assert metric.sum.aggregation_temporality == AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
    assert metric.sum.data_points[0].as_double == 1.5


def test_a_log_record_belongs_to_its_span_and_text_that_is_no_text_is_replaced() -> None:
    entry = LogEntry(
        at_ns=5,
        severity=13,
        severity_text="WARNING",
        body="caf\u00e9 \ud800",
        attributes={"ok": True, "share": 0.5, "count": -3, "huge": 10**30},
        scope="shared.x",
        trace_id=TRACE,
        span_id=ANSWER,
    )
    body = ENVELOPE.logs([entry])
    (record,) = ExportLogsServiceRequest.FromString(body).resource_logs[0].scope_logs[0].log_records
    assert (record.severity_number, record.severity_text, record.body.string_value) == (13, "WARNING", "caf\u00e9 ?")
    assert (record.trace_id.hex(), record.span_id.hex(), record.time_unix_nano) == (TRACE, ANSWER, 5)
    found = attributes(record.attributes)
    assert found == {"logger_name": "shared.x", "ok": True, "share": 0.5, "count": -3, "huge": (1 << 63) - 1}
