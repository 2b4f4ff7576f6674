"""The app's own telemetry on its way to Application Insights and to an OpenTelemetry collector.

A record that is written while a stream runs belongs to no invocation any more: the host drops it or pins it on another
one. So the receipts, and the warnings and errors of `shared`, go there directly, with the app's identity; traces and metrics
are made of the receipts (`shared.telemetry`). All of that happens in other threads, some seconds after the start, and never
delays or disturbs an answer: what cannot be sent is dropped, and the log says so at most once an hour.
"""

import asyncio
import contextlib
import json
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from logging.handlers import QueueHandler, QueueListener
from typing import cast

from shared.hosting.telemetry_target import CONNECTION_STRING_FORM, Measured, TelemetryTarget
from shared.receipt import LOGGER_NAME as RECEIPTS
from shared.version import VERSION

_log = logging.getLogger(__name__)

START_SECONDS = 3.0
"""After all else is loaded: what is imported here takes a second of the interpreter, and the first answer goes first."""
FLUSH_SECONDS = 3.0
MAXIMUM_WAITING = 2048
LOOK_SECONDS = 0.25
"""How often records are looked for. So many come at most in that time, or the last ones are lost."""
RECORDS_AT_ONCE = 8
PAUSE_SECONDS = 0.0001
"""Between so many records: the interpreter takes a busy thread off only after 5 ms, which every stream would wait for."""

COMPLAINT_SECONDS = 3600.0
"""How long nothing is said of records that are dropped, once it was."""

SWITCHED_OFF = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED",
)
"""What the exporter would report to Microsoft and ask of it besides; only the environment can forbid it."""

_OWN_LOGGERS = frozenset({__name__, "shared.hosting.exporter", "shared.telemetry.sender"})

type Records = queue.Queue[logging.LogRecord | None]
type Pause = Callable[[], AbstractContextManager[None]]


class Telemetry:
    """Queues the records of `shared` from the start, and sends them once the exporters are there.

    Without a destination nothing is queued, and every method returns at once.
    """

    def __init__(self, target: TelemetryTarget, measured: Measured | None = None) -> None:
        """Listen to the logger `shared` from now on. `measured`: None where nothing is exported but the log."""
        self._target = target
        self._measured = measured
        self._is_on = bool(target.connection_string) or measured is not None
        self._records: Records = queue.Queue(MAXIMUM_WAITING)
        self._handler = _RecordQueue(self._records)
        self._opening = threading.Lock()
        self._is_opened = False
        self._listener: _Listener | None = None
        if self._is_on:
            logging.getLogger("shared").addHandler(self._handler)

    async def start(self, pause: Pause = nullcontext) -> None:
        """Open the exporter in a thread, START_SECONDS from now; its import is done within `pause()`."""
        if self._is_on:
            await asyncio.sleep(START_SECONDS)
            await asyncio.to_thread(self._open, pause)

    async def stop(self) -> None:
        """Send what is left, for FLUSH_SECONDS at most."""
        if not self._is_on:
            return
        loop, sent = asyncio.get_running_loop(), asyncio.Event()
        # A thread of its own, since the loop's executor would be waited for at the process's end.
        threading.Thread(target=self._flush, args=(loop, sent), daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(sent.wait(), FLUSH_SECONDS)

    def _flush(self, loop: asyncio.AbstractEventLoop, sent: asyncio.Event) -> None:
        if self._is_opened or not self._records.empty():
            self._open()
        if self._listener is not None:
            self._listener.stop()
            self._listener.tell_dropped()
            _close(self._listener.handlers)
        with contextlib.suppress(RuntimeError):  # the loop has not waited for it
            loop.call_soon_threadsafe(sent.set)

    def _open(self, pause: Pause = nullcontext) -> None:
        with self._opening:
            if self._is_opened:
                return
            self._is_opened = True
            with pause():
                handlers = self._handlers()
            if not handlers:
                self._give_up()
                return
            self._listener = _Listener(self._records, self._handler, handlers)
            self._listener.start()

    def _handlers(self) -> list[logging.Handler]:
        """Import and open all exporters that can be opened."""
        target, handlers = self._target, list[logging.Handler]()
        if target.connection_string:
            try:
                handlers.append(_exporter(target))
            except ImportError as error:
                target = replace(target, connection_string="")
                _log.warning(
                    "Telemetry export to Application Insights is disabled for this process: the module %s is missing; "
                    "its package is in requirements.txt",
                    error.name,
                )
            except Exception as error:  # noqa: BLE001 - whatever it is, the app serves on
                target = replace(target, connection_string="")
                _log.warning(
                    "Telemetry export to Application Insights is disabled for this process (%s): expected %s in "
                    "APPLICATIONINSIGHTS_CONNECTION_STRING",
                    type(error).__name__,
                    CONNECTION_STRING_FORM,
                )
        if self._measured is not None:
            try:
                handlers += _recorders(target, self._measured)
            except Exception as error:  # noqa: BLE001
                _log.warning("Traces and metrics are disabled for this process (%s)", type(error).__name__)
        return handlers

    def _give_up(self) -> None:
        logging.getLogger("shared").removeHandler(self._handler)
        with contextlib.suppress(queue.Empty):
            while True:
                self._records.get_nowait()


class _RecordQueue(QueueHandler):
    """Puts records into the queue. Called on the event loop: it never waits, and drops what a full queue does not take."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self.dropped = 0
        self.addFilter(_is_exported)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record as it is: the queue stays in this process, and an exception's type is exported too."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1


class _Listener(QueueListener):
    def __init__(self, records: Records, puts: _RecordQueue, handlers: Sequence[logging.Handler]) -> None:
        super().__init__(records, *handlers)
        self._records = records
        self._puts = puts
        self._handled = 0
        self._told = 0
        self._tells_again_at = 0.0

    def dequeue(self, block: bool) -> logging.LogRecord:  # noqa: ARG002, FBT001 - the library's signature
        """Return the next record. It is looked for, and not waited for: whoever puts one in then wakes no thread.

        That thread would take the interpreter from the event loop in the middle of an answer.
        """
        while True:
            with contextlib.suppress(queue.Empty):
                return cast("logging.LogRecord", self._records.get_nowait())
            time.sleep(LOOK_SECONDS)

    def handle(self, record: logging.LogRecord) -> None:
        """Hand the record to every exporter, and let the event loop go first now and then."""
        super().handle(record)
        self._handled += 1
        if self._handled % RECORDS_AT_ONCE == 0:
            if time.monotonic() >= self._tells_again_at:
                self.tell_dropped()
            time.sleep(PAUSE_SECONDS)

    def tell_dropped(self) -> None:
        """Log how many records were dropped of which that was not said yet."""
        if dropped := self._puts.dropped - self._told:
            self._told += dropped
            self._tells_again_at = time.monotonic() + COMPLAINT_SECONDS
            _log.warning(
                "%d records came faster than telemetry takes them and are missing from it, and from its metrics and traces "
                "(logged once an hour at most)",
                dropped,
            )

    def enqueue_sentinel(self) -> None:
        """Wait for a place in the queue: unlike a record, the end is not dropped."""
        self._records.put(None)


def _is_exported(record: logging.LogRecord) -> bool:
    """Receipts from INFO on, all else from WARNING on, and never what is logged about telemetry itself."""
    minimum = logging.INFO if record.name == RECEIPTS else logging.WARNING
    return record.levelno >= minimum and record.name not in _OWN_LOGGERS


def _exporter(target: TelemetryTarget) -> logging.Handler:
    """Import and open the exporter. Raise ValueError, or what it raises, for a connection string that cannot be used."""
    target.check()
    os.environ.update(dict.fromkeys(SWITCHED_OFF, "true"))
    from shared.hosting.exporter import ExporterHandler

    return ExporterHandler(target, _attributes, maximum_waiting=MAXIMUM_WAITING)


def _recorders(target: TelemetryTarget, measured: Measured) -> list[logging.Handler]:
    """Import and open what makes traces and metrics; nothing where they have nowhere to go."""
    from shared.telemetry.calls import BackendAddress
    from shared.telemetry.collector import Collector, parse_headers
    from shared.telemetry.names import Semconv
    from shared.telemetry.otlp import Envelope
    from shared.telemetry.recorder import Recorder, Sources
    from shared.telemetry.sender import Destination

    destinations: list[Destination] = []
    if measured.otlp_endpoint:
        envelope = Envelope(target.resource, "shared", VERSION)
        headers = parse_headers(measured.otlp_headers)
        destinations.append(Collector(measured.otlp_endpoint, headers, envelope, measured.otlp_proxy))
    if target.connection_string:
        from shared.hosting.azure_monitor import AzureMonitor

        destinations.append(AzureMonitor(target))
    if not destinations:
        return []
    sources = Sources(
        semconv=Semconv(measured.semconv),
        backends={name: BackendAddress(*found) for name, found in measured.backends.items()},
        names_callers=measured.names_callers,
        open_streams=measured.open_streams,
        ready=measured.ready,
    )
    return [Recorder(destinations, sources, _attributes)]


def _close(handlers: Sequence[logging.Handler]) -> None:
    """Send what each has left, all at the same time: one that takes none does not hold up another."""
    threads = [threading.Thread(target=handler.close, daemon=True) for handler in handlers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _attributes(record: logging.LogRecord) -> dict[str, str | int | float]:
    """Return what becomes customDimensions: a receipt's fields, or an exception's type and trace."""
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
