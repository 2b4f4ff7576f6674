"""The app's own log records, sent to Application Insights: the only module that imports opentelemetry and azure.monitor.

A record that is written while a stream runs belongs to no invocation any more: the host drops it or pins it on another
one. So the receipts, and the warnings and errors of `shared`, go there directly, with the app's identity. It never
delays or disturbs an answer: what cannot be sent is dropped, and the log says so at most once an hour.
"""

import asyncio
import contextlib
import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from shared.config.addresses import Address
from shared.hosting.server import importing
from shared.receipt import LOGGER_NAME as RECEIPTS

_log = logging.getLogger(__name__)

START_SECONDS = 3.0
"""After all else is loaded: what is imported here takes a second of the interpreter, and the first answer goes first."""
FLUSH_SECONDS = 3.0
COMPLAINT_SECONDS = 3600.0
SEND_SECONDS = 10.0
RETRIES = 2
MOST_WAITING = 2048

SWITCHED_OFF = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
)
"""What the exporter would say to Microsoft and ask of it besides; only the environment can forbid it."""

CONNECTION_STRING_FORM = "InstrumentationKey=<GUID>;IngestionEndpoint=https://<host>/"

Send = Callable[[logging.LogRecord], None]
Close = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryTarget:
    """Where records go, as whom, and under which name; no `connection_string`: nowhere."""

    connection_string: str = ""
    with_identity: bool = False
    client_id: str = ""
    role: str = ""
    instance: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "TelemetryTarget":
        """Reads what the platform's own settings say. Never fails: a wrong connection string is told when it is used."""
        pairs = (pair.partition("=") for pair in env.get("APPLICATIONINSIGHTS_AUTHENTICATION_STRING", "").split(";"))
        said = {name.strip().lower(): value.strip() for name, _, value in pairs}
        return cls(
            connection_string=env.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "").strip(),
            with_identity=said.get("authorization", "").upper() == "AAD",
            client_id=said.get("clientid", ""),
            role=env.get("WEBSITE_SITE_NAME", ""),
            instance=env.get("WEBSITE_INSTANCE_ID", ""),
        )


class Telemetry(logging.Handler):
    """Keeps the newest records until the exporter is there, then hands them over at once."""

    def __init__(self, target: TelemetryTarget) -> None:
        super().__init__()
        self._target = target
        self._waiting: deque[logging.LogRecord] = deque(maxlen=MOST_WAITING)
        self._opening = threading.Lock()
        self._is_opened = False
        self._send: Send | None = None
        self._close: Close | None = None
        self.addFilter(_is_wanted)
        if target.connection_string:
            logging.getLogger("shared").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Called on the event loop: only puts the record into a queue."""
        if self._send is None:
            self._waiting.append(record)
            return
        try:
            self._send(record)
        except Exception:  # noqa: BLE001 - a lost record, never a lost answer
            return

    async def start(self) -> None:
        """Opens the exporter in a thread, a while after everything else."""
        if self._target.connection_string:
            await asyncio.sleep(START_SECONDS)
            await asyncio.to_thread(self._open)

    async def stop(self) -> None:
        """Sends what is left, and waits `FLUSH_SECONDS` at most."""
        if not self._target.connection_string:
            return
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def flush() -> None:
            if self._waiting or self._is_opened:
                self._open()
            if self._close is not None:
                self._close()
            with contextlib.suppress(RuntimeError):  # the loop has not waited for it
                loop.call_soon_threadsafe(sent.set)

        # A thread of its own, since the loop's executor would be waited for at the process's end.
        threading.Thread(target=flush, daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), FLUSH_SECONDS)

    def _open(self) -> None:
        with self._opening:
            if self._is_opened:
                return
            self._is_opened = True
            try:
                with importing():
                    send, self._close = _exporter(self._target)
            except Exception as error:  # noqa: BLE001 - whatever it is, the app serves on
                logging.getLogger("shared").removeHandler(self)
                self._waiting.clear()
                _log.warning(
                    "Application Insights gets no records of this process (%s): expected %s in "
                    "APPLICATIONINSIGHTS_CONNECTION_STRING",
                    type(error).__name__,
                    CONNECTION_STRING_FORM,
                )
                return
            self._hand_over(send)
            self.acquire()  # as `emit` does: nothing is written meanwhile
            self._hand_over(send)
            self._send = send
            self.release()

    def _hand_over(self, send: Send) -> None:
        while self._waiting:
            with contextlib.suppress(Exception):
                send(self._waiting.popleft())


def _is_wanted(record: logging.LogRecord) -> bool:
    """Receipts from INFO on, all else from WARNING on, and never what is said about telemetry itself."""
    least = logging.INFO if record.name == RECEIPTS else logging.WARNING
    return record.levelno >= least and record.name != __name__


class _Complaints(logging.Handler):
    """Keeps the exporter's own words out of the log, but for one an hour."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said_at = -COMPLAINT_SECONDS
        self._last = "no reason given"
        for name in ("azure.monitor.opentelemetry", "opentelemetry"):
            logger = logging.getLogger(name)
            logger.propagate = False
            logger.addHandler(self)
        # Its warnings repeat, for every batch, what the exporter says itself; for answers `upstream.identity` says it.
        logging.getLogger("azure.identity").setLevel(logging.ERROR)

    def emit(self, record: logging.LogRecord) -> None:
        self._last = record.getMessage()[:500]

    def tell(self) -> None:
        """Some records were not taken."""
        if time.monotonic() - self._said_at >= COMPLAINT_SECONDS:
            self._said_at = time.monotonic()
            _log.warning("Application Insights does not take records (said once an hour at most): %s", self._last)


def _exporter(target: TelemetryTarget) -> tuple[Send, Close]:
    """Return what sends one record, and what flushes and ends the exporter and its thread. Slow: it imports.

    Raise ValueError, or what the exporter raises, for a connection string that cannot be used.
    """
    _check_endpoints(target.connection_string)
    os.environ.update(dict.fromkeys(SWITCHED_OFF, "true"))
    complaints = _Complaints()
    from azure.identity import ManagedIdentityCredential
    from azure.monitor.opentelemetry.exporter import AzureMonitorLogExporter
    from opentelemetry._logs import LogRecord, SeverityNumber
    from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExportResult
    from opentelemetry.sdk.resources import Resource

    class Exporter(AzureMonitorLogExporter):
        def export(self, batch: Sequence[ReadableLogRecord], **kwargs: object) -> LogRecordExportResult:
            result = super().export(batch, **kwargs)
            if result is LogRecordExportResult.FAILURE:
                complaints.tell()
            return result

    severities = {
        logging.INFO: SeverityNumber.INFO,
        logging.WARNING: SeverityNumber.WARN,
        logging.ERROR: SeverityNumber.ERROR,
        logging.CRITICAL: SeverityNumber.FATAL,
    }
    exporter = Exporter(
        connection_string=target.connection_string,
        credential=ManagedIdentityCredential(client_id=target.client_id or None) if target.with_identity else None,
        disable_offline_storage=True,
        retry_total=RETRIES,
        timeout=SEND_SECONDS,
        read_timeout=SEND_SECONDS,
    )
    resource = Resource({"service.name": target.role or "streaming-endpoint", "service.instance.id": target.instance})
    # NOTE: never the global provider. FastAPI, too, would report to that one, with texts of exceptions.
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter, max_queue_size=MOST_WAITING))

    def send(record: logging.LogRecord) -> None:
        # Not the SDK's LoggingHandler, which is deprecated: it also sends file names and line numbers of every record.
        provider.get_logger(record.name).emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                severity_text=record.levelname,
                severity_number=severities.get(record.levelno, SeverityNumber.WARN),
                body=record.getMessage(),
                attributes=_attributes(record),
            )
        )

    return send, provider.shutdown


def _check_endpoints(connection_string: str) -> None:
    """Raise ValueError for an endpoint that is not an address: the exporter would quote it in every complaint."""
    pairs = (pair.partition("=") for pair in connection_string.split(";"))
    values = {name.strip().lower(): value.strip() for name, _, value in pairs}
    suffix = values.get("endpointsuffix", "")
    for endpoint in (values.get("ingestionendpoint", ""), suffix and f"https://{suffix}"):
        if endpoint and Address.parse(endpoint) is None:
            raise ValueError


def _attributes(record: logging.LogRecord) -> dict[str, str | int | float]:
    """What becomes customDimensions: a receipt's fields, or an exception's type and trace."""
    attributes: dict[str, str | int | float] = {}
    if record.name == RECEIPTS:
        _flatten(json.loads(record.getMessage()), "", attributes)
    if record.exc_info and record.exc_info[0] is not None:
        attributes["exception.type"] = record.exc_info[0].__name__
        attributes["exception.stacktrace"] = logging.Formatter().formatException(record.exc_info)
    return attributes


def _flatten(fields: Mapping[str, object], prefix: str, into: dict[str, str | int | float]) -> None:
    for name, value in fields.items():
        if isinstance(value, dict):
            _flatten(value, f"{prefix}{name}.", into)
        elif isinstance(value, str | int | float):
            into[prefix + name] = value
        elif value is not None:
            into[prefix + name] = json.dumps(value)
