"""Makes metrics, spans and log entries of the records that arrive in the exporting thread, for every destination."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.receipt import Receipt
from shared.telemetry.aggregation import Aggregation, Value
from shared.telemetry.calls import BackendAddress, Describer
from shared.telemetry.measurements import Instruments, measured
from shared.telemetry.names import Names, Semconv
from shared.telemetry.otlp import LogEntry
from shared.telemetry.sender import Destination, Sender
from shared.telemetry.spans import spans_of

CLOSE_SECONDS = 3.0

_SEVERITIES = {logging.INFO: 9, logging.WARNING: 13, logging.ERROR: 17, logging.CRITICAL: 21}
_WARN = 13

type LogAttributes = Callable[[logging.LogRecord], Mapping[str, Value]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What is measured besides the receipts, and how it is named. The functions are called by each destination's own thread."""

    semconv: Semconv
    backends: Mapping[str, BackendAddress]
    names_callers: bool
    open_streams: Callable[[], int]
    ready: Callable[[], Mapping[str, bool]]


class Recorder(logging.Handler):
    """Handles the records in the one thread that the queue is emptied by. `attributes`: what a record carries besides."""

    def __init__(self, destinations: Sequence[Destination], sources: Sources, attributes: LogAttributes) -> None:
        """Begin to send to all destinations."""
        super().__init__()
        names = Names.of(sources.semconv)
        self._sources = sources
        self._describer = Describer(names, sources.backends, sources.names_callers)
        self._instruments = Instruments(names)
        self._attributes = attributes
        self._senders = [Sender(destination, self._observe) for destination in destinations]
        for sender in self._senders:
            sender.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Record what one log record says. Never raise."""
        try:
            self._record(record)
        except Exception:  # noqa: BLE001 - lost telemetry, never a lost answer
            return

    def _record(self, record: logging.LogRecord) -> None:
        receipt = getattr(record, "receipt", None)
        spans = []
        if isinstance(receipt, Receipt):
            found = measured(receipt, self._instruments, self._describer)
            for sender in self._senders:
                sender.aggregation.add(found)
            spans = spans_of(receipt, record.created, self._describer)
        entry = None
        for sender in self._senders:
            if sender.takes_logs:
                entry = entry or self._entry(record, receipt)
                sender.put(spans, entry)
            else:
                sender.put(spans)

    def _entry(self, record: logging.LogRecord, receipt: object) -> LogEntry:
        """Return the log entry. A receipt is its own JSON: writing each field as an attribute too would double its cost."""
        trace = receipt.trace if isinstance(receipt, Receipt) else None
        return LogEntry(
            at_ns=int(record.created * 1e9),
            severity=_SEVERITIES.get(record.levelno, _WARN),
            severity_text=record.levelname,
            body=record.getMessage(),
            attributes={} if isinstance(receipt, Receipt) else self._attributes(record),
            scope=record.name,
            trace_id=trace.trace_id if trace is not None else "",
            span_id=trace.span_id if trace is not None else "",
        )

    def _observe(self, aggregation: Aggregation) -> None:
        """Measure what has a value at every moment."""
        aggregation.set(self._instruments.open_streams, self._sources.open_streams(), ())
        backend = self._describer.names.attributes["backend"]
        for name, is_ready in self._sources.ready().items():
            aggregation.set(self._instruments.backend_ready, int(is_ready), ((backend, name),))

    def close(self) -> None:
        """Send what is left, for CLOSE_SECONDS at most to each destination."""
        for sender in self._senders:
            sender.close(CLOSE_SECONDS)
        super().close()
