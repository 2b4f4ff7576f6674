"""Application Insights as a destination of traces and metrics, by the exporter's own classes. See `shared.telemetry.sender`."""

from collections.abc import Iterator, Sequence

from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter
from opentelemetry.sdk.metrics import export as otel
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared.hosting.exporter import exporter_options
from shared.hosting.telemetry_target import TelemetryTarget
from shared.telemetry.aggregation import Kind, Series
from shared.telemetry.otlp import LogEntry
from shared.telemetry.pace import breathe
from shared.telemetry.sender import AlreadyReported
from shared.telemetry.spans import Span
from shared.telemetry.spans import SpanKind as OwnKind
from shared.version import VERSION

METRICS_EVERY_SECONDS = 60.0
"""A row in the log for each series each time."""
_SAMPLE_RATE = "_MS.sampleRate"
"""In percent: Application Insights counts a record as as many as it stands for."""
_KINDS = {OwnKind.INTERNAL: SpanKind.INTERNAL, OwnKind.CLIENT: SpanKind.CLIENT}


class AzureMonitor:
    """Sends spans as dependencies and metrics as custom metrics; the log has an exporter of its own."""

    name = "Application Insights"
    is_delta = True
    metrics_every_seconds = METRICS_EVERY_SECONDS
    takes_logs = False

    def __init__(self, target: TelemetryTarget) -> None:
        """Open the exporters. Raise what they raise for a connection string that they cannot use."""
        self._resource = Resource(target.resource)
        self._scope = InstrumentationScope("shared", VERSION)
        options = exporter_options(target)
        self._traces = AzureMonitorTraceExporter(**options)
        self._metrics = AzureMonitorMetricExporter(**options)

    def spans(self, spans: Sequence[Span]) -> None:
        """Send spans. Raise `AlreadyReported`: the log's exporter has the same server, and reports what it does not take."""
        if self._traces.export(_Paced([self._span(span) for span in spans])) is not SpanExportResult.SUCCESS:
            raise AlreadyReported

    def metrics(self, series: Sequence[Series]) -> None:
        """Send metrics. Raise `AlreadyReported`."""
        metrics = [_metric(one) for one in series]
        scoped = otel.ScopeMetrics(self._scope, metrics, "")
        data = otel.MetricsData([otel.ResourceMetrics(self._resource, [scoped], "")])
        if self._metrics.export(data) is not otel.MetricExportResult.SUCCESS:
            raise AlreadyReported

    def logs(self, entries: Sequence[LogEntry]) -> None:
        """Do nothing: they are not sent on this way."""

    def close(self) -> None:
        """Release the connections."""
        self._traces.shutdown()
        self._metrics.shutdown()

    def _span(self, span: Span) -> ReadableSpan:
        share = {_SAMPLE_RATE: span.ratio * 100} if span.ratio < 1 else {}
        return ReadableSpan(
            name=span.name,
            context=_context(span.trace_id, span.span_id),
            parent=_context(span.trace_id, span.parent_id) if span.parent_id else None,
            resource=self._resource,
            attributes={**span.attributes, **share},
            kind=_KINDS[span.kind],
            status=Status(StatusCode.ERROR, span.error) if span.error else Status(),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )


class _Paced[T](list[T]):
    """A batch whose reader lets the event loop go first: what the exporter makes of one span takes it most of a millisecond."""

    def __iter__(self) -> Iterator[T]:
        for item in super().__iter__():
            breathe()
            yield item


def _context(trace_id: str, span_id: str) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)


def _metric(series: Series) -> otel.Metric:
    instrument = series.instrument
    data: otel.Histogram | otel.Gauge | otel.Sum
    temporality = otel.AggregationTemporality.DELTA if series.is_delta else otel.AggregationTemporality.CUMULATIVE
    if instrument.kind is Kind.HISTOGRAM:
        data = otel.Histogram(
            [
                otel.HistogramDataPoint(
                    attributes=dict(key),
                    start_time_unix_nano=point.began_ns,
                    time_unix_nano=series.at_ns,
                    count=point.count,
                    sum=point.total,
                    bucket_counts=point.buckets,
                    explicit_bounds=instrument.boundaries,
                    min=point.minimum,
                    max=point.maximum,
                )
                for key, point in series.points
            ],
            temporality,
        )
    else:
        points = [
            otel.NumberDataPoint(dict(key), point.began_ns, series.at_ns, point.total) for key, point in series.points
        ]
        is_gauge, is_counter = instrument.kind is Kind.GAUGE, instrument.kind is Kind.COUNTER
        data = otel.Gauge(points) if is_gauge else otel.Sum(points, temporality, is_counter)
    return otel.Metric(instrument.name, instrument.description, instrument.unit, data)
