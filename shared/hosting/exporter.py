"""The exporter of the log to Application Insights. What it imports, opentelemetry and azure.monitor, takes a second.

`telemetry` imports it in a thread, after everything else, and once SWITCHED_OFF is in the environment.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from azure.identity import ManagedIdentityCredential
from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
from opentelemetry.sdk.resources import Resource

from shared.hosting.telemetry_target import TelemetryTarget

_log = logging.getLogger(__name__)

COMPLAINT_SECONDS = 3600.0
SEND_SECONDS = 10.0
RETRIES = 2

type Attributes = Callable[[logging.LogRecord], Mapping[str, str | int | float]]

_SEVERITIES = {
    logging.INFO: SeverityNumber.INFO,
    logging.WARNING: SeverityNumber.WARN,
    logging.ERROR: SeverityNumber.ERROR,
    logging.CRITICAL: SeverityNumber.FATAL,
}


class ExporterHandler(logging.Handler):
    """Passes records to Application Insights, in batches and from a thread of the exporter's own."""

    def __init__(self, target: TelemetryTarget, attributes: Attributes, *, maximum_waiting: int) -> None:
        """Open the exporter. Raise what it raises for a connection string that it cannot use."""
        super().__init__()
        self._attributes = attributes
        resource = Resource(
            {"service.name": target.role or "streaming-endpoint", "service.instance.id": target.instance}
        )
        # NOTE: never the global provider. FastAPI, too, would report to that one, with texts of exceptions.
        self._provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        exporter = _exporter(target, _Complaints())
        self._provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=maximum_waiting))

    def emit(self, record: logging.LogRecord) -> None:
        """Hand one record over. Not by the SDK's LoggingHandler, which is deprecated and adds file names and line numbers."""
        try:
            self._provider.get_logger(record.name).emit(
                LogRecord(
                    timestamp=int(record.created * 1e9),
                    severity_text=record.levelname,
                    severity_number=_SEVERITIES.get(record.levelno, SeverityNumber.WARN),
                    body=record.getMessage(),
                    attributes=self._attributes(record),
                )
            )
        except Exception:  # noqa: BLE001 - a lost record, never a lost answer
            return

    def close(self) -> None:
        """Send what is left, and end the exporter's thread."""
        self._provider.shutdown()
        super().close()


def exporter_options(target: TelemetryTarget) -> dict[str, Any]:
    """Return what each of the exporter's classes is made with: where to, as whom, and how patiently."""
    credential = ManagedIdentityCredential(client_id=target.client_id or None) if target.with_identity else None
    return {
        "connection_string": target.connection_string,
        "credential": credential,
        "disable_offline_storage": True,
        "retry_total": RETRIES,
        "timeout": SEND_SECONDS,
        "read_timeout": SEND_SECONDS,
    }


def _exporter(target: TelemetryTarget, complaints: "_Complaints") -> "_Exporter":
    exporter = _Exporter(**exporter_options(target))
    exporter.complaints = complaints
    return exporter


class _Exporter(AzureMonitorLogExporter):
    complaints: "_Complaints"

    def export(self, batch: Sequence[ReadableLogRecord], **kwargs: object) -> LogRecordExportResult:
        result = super().export(batch, **kwargs)
        if result is LogRecordExportResult.FAILURE:
            self.complaints.report()
        return result


class _Complaints(logging.Handler):
    """Keeps the exporter's own words out of the log, but for one an hour."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._reported_at = -COMPLAINT_SECONDS
        self._last = "no reason given"
        for name in ("azure.monitor.opentelemetry", "opentelemetry"):
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self._last = record.getMessage()[:500]

    def report(self) -> None:
        """Log that some records were not taken."""
        if time.monotonic() - self._reported_at >= COMPLAINT_SECONDS:
            self._reported_at = time.monotonic()
            _log.warning("Application Insights does not take records (logged once an hour at most): %s", self._last)
