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
_SMALL = tuple(bytes((number,)) for number in range(0x80))
"""The numbers of one byte: most are lengths."""
_DOUBLE = struct.Struct("<d")
_TIMES = struct.Struct("<cQcQ")
"""Two times with their tags."""
_ERROR = 2
ITEMS_AT_ONCE = 16
"""Less than half a millisecond of work."""
_DELTA, _CUMULATIVE = 1, 2
_SAMPLED = 1
_MAX_INT = (1 << 63) - 1


@dataclass(slots=True, kw_only=True)
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
    status = _field(15, _text(2, span.error) + _number(3, _ERROR)) if span.error else b""
    return b"".join(
        (
            _field(1, bytes.fromhex(span.trace_id)),
            _field(2, bytes.fromhex(span.span_id)),
            _text(3, span.state),
            _field(4, bytes.fromhex(span.parent_id)) if span.parent_id else b"",
            _kept_text(5, span.name),
            _number(6, span.kind.value),
            _TIMES.pack(_tag(7, _FIXED64), span.start_ns, _tag(8, _FIXED64), span.end_ns),
            _attributes(9, span.attributes.items()),
            status,
            _FLAGS,
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
            _kept_text(3, entry.severity_text),
            _field(5, _text(1, entry.body)),
            _text_attribute(6, "logger_name", entry.scope),
            _attributes(6, entry.attributes.items()) if entry.attributes else b"",
            _field(9, bytes.fromhex(entry.trace_id)) if entry.trace_id else b"",
            _field(10, bytes.fromhex(entry.span_id)) if entry.span_id else b"",
            _fixed64(11, entry.at_ns),
        )
    )


def _attributes(number: int, pairs: Iterable[tuple[str, Value]]) -> bytes:
    return b"".join(
        [
            _text_attribute(number, name, value) if isinstance(value, str) else _number_attribute(number, name, value)
            for name, value in pairs
        ]
    )


def _number_attribute(number: int, name: str, value: float) -> bytes:
    """Return an attribute that is a number, or true or false."""
    if isinstance(value, bool):
        return _head(number, name, _tag(2, _VARINT), 1) + _SMALL[value]
    if isinstance(value, int):
        encoded = _varint(max(min(value, _MAX_INT), -_MAX_INT))
        return _head(number, name, _tag(3, _VARINT), len(encoded)) + encoded
    return _head(number, name, _tag(4, _FIXED64), 8) + _DOUBLE.pack(value)


@lru_cache(4096)
def _text_attribute(number: int, name: str, value: str) -> bytes:
    """Return a text, which is mostly the same from answer to answer. Writing texts would be most of the work."""
    return _field(number, _text(1, name) + _field(2, _field(1, value.encode("utf-8", "replace"))))


@lru_cache(1024)
def _head(number: int, name: str, tag: bytes, size: int) -> bytes:
    """Return an attribute up to its number, whose tag this is, and which has so many bytes."""
    before = _text(1, name) + _tag(2, _BYTES) + _varint(len(tag) + size) + tag
    return _tag(number, _BYTES) + _varint(len(before) + size) + before


@cache
def _tag(number: int, wire_type: int) -> bytes:
    return _varint(number << 3 | wire_type)


def _varint(value: int) -> bytes:
    """Return the number in groups of seven bits, the lowest first; a negative one as 64 bits of its complement."""
    if 0 <= value < 0x80:
        return _SMALL[value]
    value &= (1 << 64) - 1
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def _field(number: int, content: bytes) -> bytes:
    size = len(content)
    return _tag(number, _BYTES) + (_SMALL[size] if size < 0x80 else _varint(size)) + content


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode("utf-8", "replace")) if text else b""


_kept_text = lru_cache(1024)(_text)


def _number(number: int, value: int) -> bytes:
    return _tag(number, _VARINT) + _varint(value)


def _fixed64(number: int, value: int) -> bytes:
    return _tag(number, _FIXED64) + struct.pack("<Q", value)


def _fixed32(number: int, value: int) -> bytes:
    return _tag(number, _FIXED32) + struct.pack("<I", value)


_FLAGS = _fixed32(16, _SAMPLED)


def _double(number: int, value: float) -> bytes:
    return _tag(number, _FIXED64) + _DOUBLE.pack(value)
