"""OTLP's protobuf, written by hand: spans, metrics and log records as the bodies that a collector takes. Pure.

Field numbers: https://github.com/open-telemetry/opentelemetry-proto/tree/v1.11.0/opentelemetry/proto. They never change.
The package that would write them brings `protobuf`, whose version the Functions worker has to agree with
(docs/decisions.md).
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from shared.telemetry.aggregation import Key, Kind, Point, Series, Value
from shared.telemetry.pace import breathe
from shared.telemetry.spans import Span

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_ERROR = 2
ITEMS_AT_ONCE = 16
"""Less than half a millisecond of work."""
_DELTA, _CUMULATIVE = 1, 2
_SAMPLED = 1
_MAX_INT = (1 << 63) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One record of the log. `severity`: OTLP's number. The ids are '' where the record belongs to no span."""

    at_ns: int
    severity: int
    severity_text: str
    body: str
    attributes: Mapping[str, Value]
    scope: str
    trace_id: str = ""
    span_id: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is around everything that is sent: the attributes of this process, and the version of this app."""

    resource: Mapping[str, Value]
    scope: str
    version: str

    def spans(self, spans: Sequence[Span]) -> bytes:
        """Return an ExportTraceServiceRequest."""
        return self._request(_paced(_field(2, _span(span)) for span in spans))

    def metrics(self, series: Sequence[Series]) -> bytes:
        """Return an ExportMetricsServiceRequest."""
        return self._request(_field(2, _metric(one)) for one in series)

    def logs(self, entries: Sequence[LogEntry]) -> bytes:
        """Return an ExportLogsServiceRequest."""
        return self._request(_paced(_field(2, _log(entry)) for entry in entries))

    def _request(self, items: Iterable[bytes]) -> bytes:
        """Return the nesting that all three have: resource, scope, items."""
        scope = _field(1, _text(1, self.scope) + _text(2, self.version))
        return _field(1, _field(1, _attributes(1, self.resource.items())) + _field(2, scope + b"".join(items)))


def _paced(items: Iterable[bytes]) -> Iterator[bytes]:
    for number, item in enumerate(items, start=1):
        yield item
        if number % ITEMS_AT_ONCE == 0:
            breathe()


def _span(span: Span) -> bytes:
    status = _text(2, span.error) + _number(3, _ERROR) if span.error else b""
    return b"".join(
        (
            _field(1, bytes.fromhex(span.trace_id)),
            _field(2, bytes.fromhex(span.span_id)),
            _text(3, span.state),
            _field(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
            _text(5, span.name),
            _number(6, span.kind.value),
            _fixed64(7, span.start_ns),
            _fixed64(8, span.end_ns),
            _attributes(9, span.attributes.items()),
            _field(15, status) if status else b"",
            _fixed32(16, _SAMPLED),
        )
    )


def _metric(series: Series) -> bytes:
    instrument = series.instrument
    head = _text(1, instrument.name) + _text(2, instrument.description) + _text(3, instrument.unit)
    temporality = _number(2, _DELTA if series.is_delta else _CUMULATIVE)
    if instrument.kind is Kind.HISTOGRAM:
        bounds = struct.pack(f"<{len(instrument.boundaries)}d", *instrument.boundaries)
        points = (_field(1, _histogram_point(key, point, series.at_ns, bounds)) for key, point in series.points)
        return head + _field(9, b"".join(points) + temporality)
    numbers = b"".join(_field(1, _number_point(key, point, series.at_ns)) for key, point in series.points)
    if instrument.kind is Kind.GAUGE:
        return head + _field(5, numbers)
    return head + _field(7, numbers + temporality + _number(3, int(instrument.kind is Kind.COUNTER)))


def _number_point(key: Key, point: Point, at_ns: int) -> bytes:
    total = point.total
    value = (
        _double(4, total) if isinstance(total, float) else _tag(6, _FIXED64) + struct.pack("<q", min(total, _MAX_INT))
    )
    return _fixed64(2, point.began_ns) + _fixed64(3, at_ns) + value + _attributes(7, key)


def _histogram_point(key: Key, point: Point, at_ns: int, bounds: bytes) -> bytes:
    return b"".join(
        (
            _fixed64(2, point.began_ns),
            _fixed64(3, at_ns),
            _fixed64(4, point.count),
            _double(5, point.total),
            _field(6, struct.pack(f"<{len(point.buckets)}Q", *point.buckets)),
            _field(7, bounds),
            _attributes(9, key),
            _double(11, point.minimum),
            _double(12, point.maximum),
        )
    )


def _log(entry: LogEntry) -> bytes:
    return b"".join(
        (
            _fixed64(1, entry.at_ns),
            _number(2, entry.severity),
            _text(3, entry.severity_text),
            _field(5, _text(1, entry.body)),
            _attributes(6, {"logger_name": entry.scope, **entry.attributes}.items()),
            _field(9, bytes.fromhex(entry.trace_id)) if entry.trace_id else b"",
            _field(10, bytes.fromhex(entry.span_id)) if entry.span_id else b"",
            _fixed64(11, entry.at_ns),
        )
    )


def _attributes(number: int, pairs: Iterable[tuple[str, Value]]) -> bytes:
    return b"".join([_attribute(number, name, value) for name, value in pairs])


@lru_cache(4096, typed=True)
def _attribute(number: int, name: str, value: Value) -> bytes:
    """Return one attribute. Most are the same from answer to answer, and writing them is most of the work."""
    return _field(number, _text(1, name) + _field(2, _any_value(value)))


def _any_value(value: Value) -> bytes:
    if isinstance(value, bool):
        return _number(2, int(value))
    if isinstance(value, int):
        return _number(3, max(min(value, _MAX_INT), -_MAX_INT))
    if isinstance(value, float):
        return _double(4, value)
    return _field(1, value.encode("utf-8", "replace"))


@cache
def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Return the number in groups of seven bits, the lowest first; a negative one as 64 bits of its complement."""
    value &= (1 << 64) - 1
    if value < 0x80:
        return bytes((value,))
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _field(number: int, content: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode("utf-8", "replace")) if text else b""


def _number(number: int, value: int) -> bytes:
    return _tag(number, _VARINT) + _varint(value)


def _fixed64(number: int, value: int) -> bytes:
    return _tag(number, _FIXED64) + struct.pack("<Q", value)


def _fixed32(number: int, value: int) -> bytes:
    return _tag(number, _FIXED32) + struct.pack("<I", value)


def _double(number: int, value: float) -> bytes:
    return _tag(number, _FIXED64) + struct.pack("<d", value)
