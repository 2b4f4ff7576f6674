"""`python -m dev.collector --port 0`: print the address as JSON, then each trace as a tree; serve the page at it."""

import argparse
import gzip
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dev.collector.reading import Point, Span, read_metrics, read_spans
from dev.collector.views import page, tree

MAX_TRACES = 100
MAX_BODY_BYTES = 16 * 1024 * 1024


class Collected:
    """The newest traces and the last value of each series. Any thread may ask."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Begin with nothing. `say` gets a tree when a trace has come."""
        self._say = say
        self._lock = threading.Lock()
        self._traces: dict[str, list[Span]] = {}
        self._points: dict[tuple[str, str], Point] = {}

    def spans(self, body: bytes) -> None:
        """Take in spans. Raise ValueError."""
        came: dict[str, list[Span]] = {}
        for span in read_spans(body):
            came.setdefault(span.trace_id, []).append(span)
        with self._lock:
            for trace_id, spans in came.items():
                self._traces[trace_id] = self._traces.pop(trace_id, []) + spans
                while len(self._traces) > MAX_TRACES:
                    del self._traces[next(iter(self._traces))]
        for spans in came.values():
            self._say(tree(spans))

    def metrics(self, body: bytes) -> None:
        """Take in metrics. Raise ValueError."""
        with self._lock:
            for point in read_metrics(body):
                self._points[point.metric, str(sorted(point.attributes.items()))] = point

    def page(self) -> str:
        """Return the page."""
        with self._lock:
            return page(list(reversed(self._traces.values())), [self._points[key] for key in sorted(self._points)])


def server(collected: Collected, port: int) -> ThreadingHTTPServer:
    """Return a server on this machine alone, which is not started yet."""
    takes: dict[str, Callable[[bytes], None]] = {
        "/v1/traces": collected.spans,
        "/v1/metrics": collected.metrics,
        "/v1/logs": lambda _body: None,  # the app's own log is in the terminal
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer(200, collected.page().encode(), "text/html; charset=utf-8")
            else:
                self._answer(404)

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", "0"))
            take = takes.get(self.path)
            if take is None or length > MAX_BODY_BYTES:
                self._answer(404 if take is None else 413)
                return
            body = self.rfile.read(length)
            try:
                take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            except (ValueError, OSError, EOFError):
                self._answer(400)
            else:
                self._answer(200)

        def _answer(self, status: int, body: bytes = b"", content_type: str = "application/x-protobuf") -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m dev.collector", description=__doc__)
    parser.add_argument("--port", type=int, default=4318)
    served = server(Collected(lambda text: print(text, flush=True)), parser.parse_args().port)
    print(json.dumps({"address": f"http://127.0.0.1:{served.server_address[1]}"}), flush=True)
    served.serve_forever()


if __name__ == "__main__":
    main()
