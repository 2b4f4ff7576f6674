"""An OTLP collector as a destination: each batch is one POST over HTTP."""

import gzip
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from shared.telemetry.aggregation import Series
from shared.telemetry.otlp import Envelope, LogEntry
from shared.telemetry.spans import Span

SEND_SECONDS = 10.0
METRICS_EVERY_SECONDS = 15.0
GZIP_BYTES = 1024
"""From this size on a body is compressed, which every collector has to take."""
_MAX_REPLY_BYTES = 64 * 1024


class Refused(Exception):
    """The collector answered with a status other than 2xx."""

    def __init__(self, status: int) -> None:
        """Keep the status; nothing of the reply."""
        super().__init__(status)
        self.status = status


class Collector:
    """`endpoint`: the base address, below which each signal has its path. See `sender.Destination`."""

    name = "The OpenTelemetry collector"
    is_delta = False
    metrics_every_seconds = METRICS_EVERY_SECONDS
    takes_logs = True

    def __init__(self, endpoint: str, headers: Mapping[str, str], envelope: Envelope, proxy: str = "") -> None:
        """Open nothing yet. `proxy`: the address of the one that it is asked through, '' for none."""
        self._base = endpoint.rstrip("/")
        self._headers = {"content-type": "application/x-protobuf", **headers}
        self._envelope = envelope
        self._opener = _opener(proxy)

    def spans(self, spans: Sequence[Span]) -> None:
        """Send spans. Raise `Refused`, or `OSError`."""
        self._post("traces", self._envelope.spans(spans))

    def metrics(self, series: Sequence[Series]) -> None:
        """Send metrics. Raise `Refused`, or `OSError`."""
        self._post("metrics", self._envelope.metrics(series))

    def logs(self, entries: Sequence[LogEntry]) -> None:
        """Send log records. Raise `Refused`, or `OSError`."""
        self._post("logs", self._envelope.logs(entries))

    def close(self) -> None:
        """Do nothing: each request has a connection of its own."""

    def _post(self, signal: str, body: bytes) -> None:
        headers = self._headers
        if len(body) >= GZIP_BYTES:
            body, headers = gzip.compress(body, 1), headers | {"content-encoding": "gzip"}
        request = urllib.request.Request(f"{self._base}/v1/{signal}", body, headers)  # noqa: S310 - checked at start
        try:
            with self._opener.open(request, timeout=SEND_SECONDS) as reply:
                reply.read(_MAX_REPLY_BYTES)
        except urllib.error.HTTPError as error:
            error.close()
            raise Refused(error.code) from None


def _opener(proxy: str) -> urllib.request.OpenerDirector:
    """Return what asks through the proxy, and follows no redirect: that would take the headers' key elsewhere."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else {}),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    return opener


def parse_headers(text: str) -> dict[str, str]:
    """Return the headers of OTEL_EXPORTER_OTLP_HEADERS: `name=value` pairs with commas between, each value URL-encoded."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip().lower(): unquote(value.strip()) for name, _, value in pairs if name.strip()}
