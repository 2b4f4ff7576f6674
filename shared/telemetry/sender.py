"""Sends what was recorded to one destination, from a thread of its own: late, bounded, and never in an answer's way."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from shared.telemetry.aggregation import Aggregation, Series
from shared.telemetry.otlp import LogEntry
from shared.telemetry.spans import Span

_log = logging.getLogger(__name__)

MAX_WAITING = 2048
"""Spans, and log records; what comes beyond them is dropped, the oldest first."""
BATCH = 512
SEND_EVERY_SECONDS = 5.0
COMPLAINT_SECONDS = 3600.0


class AlreadyReported(Exception):
    """Nothing was taken, and the log says so by itself."""


class Destination(Protocol):
    """Where one exporter sends. Each method raises what it raises where nothing is taken."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    @property
    def is_delta(self) -> bool:
        """Whether it wants what was measured since the last time; otherwise since the start."""

    @property
    def metrics_every_seconds(self) -> float:
        """How often it gets metrics."""

    @property
    def takes_logs(self) -> bool:
        """Whether log records go there on this way."""

    def spans(self, spans: Sequence[Span]) -> None:
        """Send spans."""

    def metrics(self, series: Sequence[Series]) -> None:
        """Send metrics."""

    def logs(self, entries: Sequence[LogEntry]) -> None:
        """Send log records."""

    def close(self) -> None:
        """Release what is open."""


class Sender:
    """One destination and what waits for it. `observe` sets in the aggregation what is measured at the moment."""

    def __init__(
        self,
        destination: Destination,
        observe: Callable[[Aggregation], None],
        *,
        every: float = SEND_EVERY_SECONDS,
    ) -> None:
        """Begin with nothing to send; `start` begins to send."""
        self.aggregation = Aggregation(is_delta=destination.is_delta)
        self._destination = destination
        self._observe = observe
        self._metrics_every = destination.metrics_every_seconds
        self._every = every
        self._spans: deque[Span] = deque(maxlen=MAX_WAITING)
        self._logs: deque[LogEntry] = deque(maxlen=MAX_WAITING)
        self._put, self._taken = 0, 0
        """How many of both were kept, and how many taken out again to be sent: what is missing between them was dropped."""
        self._told = 0
        self._wake = threading.Event()
        self._is_closing = False
        self._complained_at: float | None = None
        self._tells_again_at = 0.0
        self._thread = threading.Thread(target=self._run, name=f"telemetry to {destination.name}", daemon=True)

    @property
    def takes_logs(self) -> bool:
        """Whether log records are sent."""
        return self._destination.takes_logs

    def start(self) -> None:
        """Send from now on."""
        self._thread.start()

    def put(self, spans: Sequence[Span], entry: LogEntry | None = None) -> None:
        """Keep spans, and a log record, to be sent."""
        self._spans.extend(spans)
        if entry is not None:
            self._logs.append(entry)
        self._put += len(spans) + (entry is not None)
        if len(self._spans) >= BATCH or len(self._logs) >= BATCH:
            self._wake.set()

    def close(self, seconds: float) -> None:
        """Send what is left, for that long at most."""
        self._is_closing = True
        self._wake.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        metrics_at = time.monotonic() + self._metrics_every
        while not self._is_closing:
            self._wake.wait(min(self._every, max(metrics_at - time.monotonic(), 0.0)))
            self._wake.clear()
            self._send_queued()
            if time.monotonic() >= metrics_at:
                metrics_at = time.monotonic() + self._metrics_every
                self._send_metrics()
        self._send_queued()
        self._send_metrics()
        self._tell_dropped()
        with contextlib.suppress(Exception):
            self._destination.close()

    def _send_queued(self) -> None:
        if time.monotonic() >= self._tells_again_at:
            self._tell_dropped()
        while spans := _taken(self._spans):
            self._taken += len(spans)
            if not self._tried(lambda spans=spans: self._destination.spans(spans)):  # type: ignore[misc]
                break  # each further batch would wait as long
        while entries := _taken(self._logs):
            self._taken += len(entries)
            if not self._tried(lambda entries=entries: self._destination.logs(entries)):  # type: ignore[misc]
                break

    def _send_metrics(self) -> None:
        with contextlib.suppress(Exception):
            self._observe(self.aggregation)
        if series := self.aggregation.collect():
            self._tried(lambda: self._destination.metrics(series))

    def _tried(self, send: Callable[[], None]) -> bool:
        """Return whether it was sent. A failure is logged once an hour."""
        try:
            send()
        except AlreadyReported:
            return False
        except Exception as error:  # noqa: BLE001 - lost telemetry, never a lost answer
            now = time.monotonic()
            if self._complained_at is None or now - self._complained_at >= COMPLAINT_SECONDS:
                self._complained_at = now
                _log.warning(
                    "%s does not take traces and metrics (logged once an hour at most): %s",
                    self._destination.name,
                    _reason(error),
                )
            return False
        return True

    def _tell_dropped(self) -> None:
        # Another thread puts meanwhile, first what it has and then the number: the difference is never too large.
        dropped = self._put - self._taken - len(self._spans) - len(self._logs)
        if dropped > self._told:
            _log.warning(
                "%s takes less than there is: %d spans and log records were dropped (logged once an hour at most)",
                self._destination.name,
                dropped - self._told,
            )
            self._told = dropped
            self._tells_again_at = time.monotonic() + COMPLAINT_SECONDS


def _reason(error: Exception) -> str:
    """Return what the log says of a failure: nothing that a server may have sent, and no address."""
    status = getattr(error, "status", None) or getattr(error, "code", None)
    return f"{type(error).__name__} {status}" if isinstance(status, int) else type(error).__name__


def _taken[T](waiting: deque[T]) -> list[T]:
    """Return at most one batch of what waits. Another thread may append meanwhile."""
    found: list[T] = []
    with contextlib.suppress(IndexError):
        while len(found) < BATCH:
            found.append(waiting.popleft())
    return found
