"""A destination that keeps what it is sent, or does what else a server may do."""

import threading
from collections.abc import Callable, Sequence

from shared.telemetry.aggregation import Series
from shared.telemetry.otlp import LogEntry
from shared.telemetry.spans import Span


class Kept:
    """Keeps what it is sent. `fails` makes what each call raises; `may_go_on` holds each up while it is not set."""

    name = "The test"
    is_delta = False
    takes_logs = True
    metrics_every_seconds = 60.0

    def __init__(self, fails: Callable[[], Exception] | None = None) -> None:
        self.sent_spans: list[Span] = []
        self.sent_metrics: list[Series] = []
        self.sent_logs: list[LogEntry] = []
        self.calls = 0
        self.is_closed = False
        self.fails = fails
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def spans(self, spans: Sequence[Span]) -> None:
        self._called()
        self.sent_spans += spans

    def metrics(self, series: Sequence[Series]) -> None:
        self._called()
        self.sent_metrics = list(series)

    def logs(self, entries: Sequence[LogEntry]) -> None:
        self._called()
        self.sent_logs += entries

    def close(self) -> None:
        self.is_closed = True

    def _called(self) -> None:
        self.calls += 1
        self.may_go_on.wait(30)
        if self.fails is not None:
            raise self.fails()
