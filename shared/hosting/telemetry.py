"""The app's own log records on their way to Application Insights.

A record that is written while a stream runs belongs to no invocation any more: the host drops it or pins it on another
one. So the receipts, and the warnings and errors of `shared`, go there directly, with the app's identity. It never
delays or disturbs an answer: what cannot be sent is dropped, and the log says so at most once an hour.
"""

import asyncio
import contextlib
import json
import logging
import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from logging.handlers import QueueHandler, QueueListener

from shared.hosting.telemetry_target import CONNECTION_STRING_FORM, TelemetryTarget
from shared.receipt import LOGGER_NAME as RECEIPTS

_log = logging.getLogger(__name__)

START_SECONDS = 3.0
"""After all else is loaded: what is imported here takes a second of the interpreter, and the first answer goes first."""
FLUSH_SECONDS = 3.0
MAXIMUM_WAITING = 2048

SWITCHED_OFF = (
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
    "APPLICATIONINSIGHTS_SDKSTATS_DISABLED",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
)
"""What the exporter would report to Microsoft and ask of it besides; only the environment can forbid it."""

_OWN_LOGGERS = frozenset({__name__, "shared.hosting.exporter"})

type Records = queue.Queue[logging.LogRecord | None]
type Pause = Callable[[], AbstractContextManager[None]]


class Telemetry:
    """Queues the records of `shared` from the start, and sends them once the exporter is there.

    Without a connection string nothing is queued, and every method returns at once.
    """

    def __init__(self, target: TelemetryTarget) -> None:
        """Listen to the logger `shared` from now on."""
        self._target = target
        self._records: Records = queue.Queue(MAXIMUM_WAITING)
        self._handler = _RecordQueue(self._records)
        self._opening = threading.Lock()
        self._is_opened = False
        self._listener: QueueListener | None = None
        if target.connection_string:
            logging.getLogger("shared").addHandler(self._handler)

    async def start(self, pause: Pause = nullcontext) -> None:
        """Open the exporter in a thread, START_SECONDS from now; its import is done within `pause()`."""
        if self._target.connection_string:
            await asyncio.sleep(START_SECONDS)
            await asyncio.to_thread(self._open, pause)

    async def stop(self) -> None:
        """Send what is left, for FLUSH_SECONDS at most."""
        if not self._target.connection_string:
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
            for handler in self._listener.handlers:
                handler.close()
        with contextlib.suppress(RuntimeError):  # the loop has not waited for it
            loop.call_soon_threadsafe(sent.set)

    def _open(self, pause: Pause = nullcontext) -> None:
        with self._opening:
            if self._is_opened:
                return
            self._is_opened = True
            try:
                with pause():
                    exporter = _exporter(self._target)
            except Exception as error:  # noqa: BLE001 - whatever it is, the app serves on
                self._give_up(error)
                return
            self._listener = _Listener(self._records, exporter)
            self._listener.start()

    def _give_up(self, error: Exception) -> None:
        logging.getLogger("shared").removeHandler(self._handler)
        with contextlib.suppress(queue.Empty):
            while True:
                self._records.get_nowait()
        _log.warning(
            "Telemetry export to Application Insights is disabled for this process (%s): expected %s in "
            "APPLICATIONINSIGHTS_CONNECTION_STRING",
            type(error).__name__,
            CONNECTION_STRING_FORM,
        )


class _RecordQueue(QueueHandler):
    """Puts records into the queue. Called on the event loop: it never waits, and drops what a full queue does not take."""

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        self.addFilter(_is_exported)

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Return the record as it is: the queue stays in this process, and an exception's type is exported too."""
        return record

    def enqueue(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(queue.Full):
            self.queue.put_nowait(record)


class _Listener(QueueListener):
    def __init__(self, records: Records, exporter: logging.Handler) -> None:
        super().__init__(records, exporter)
        self._records = records

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
