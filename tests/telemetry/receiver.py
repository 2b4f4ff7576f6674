"""An OTLP collector of the tests' own: reads what it is sent with OpenTelemetry's own definitions of it."""

import gzip
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Receiver:
    """What was sent. `status` and `reply` are what it answers, once it may; without `speaks_http` it answers garbage."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status, self.reply = 200, b""
        self.speaks_http = True
        self.may_answer = threading.Event()
        self.may_answer.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.requests.append((self.path, headers, body))
                receiver.may_answer.wait(30)
                if not receiver.speaks_http:
                    self.wfile.write(b"\x00\xff no HTTP \r\n\r\n")
                    self.close_connection = True
                    return
                self.send_response(receiver.status)
                if receiver.status in (301, 302, 307, 308):
                    self.send_header("location", "/elsewhere")
                self.send_header("content-length", str(len(receiver.reply)))
                self.end_headers()
                self.wfile.write(receiver.reply)

            def log_message(self, *arguments: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def spans(self) -> list[Any]:
        """Return all spans, as protobuf has them."""
        return [
            span
            for body in self._bodies("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> list[Any]:
        """Return all metrics, as protobuf has them."""
        return [
            metric
            for body in self._bodies("/v1/metrics")
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    def counted(self, name: str) -> int:
        """Return what a counter of whole numbers has come to by the last export."""
        found = [metric for metric in self.metrics() if metric.name == name]
        return sum(point.as_int for point in found[-1].sum.data_points) if found else 0

    def logs(self) -> list[Any]:
        """Return all log records, as protobuf has them."""
        return [
            record
            for body in self._bodies("/v1/logs")
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def wait_for_spans(self, count: int, seconds: float = 20.0) -> list[Any]:
        """Return the spans once there are so many, or all that came in time."""
        deadline = time.monotonic() + seconds
        while len(found := self.spans()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return found

    def stop(self) -> None:
        """Close the server."""
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _bodies(self, path: str) -> list[bytes]:
        return [body for asked, _, body in list(self.requests) if asked == path]


def attributes(pairs: Any) -> dict[str, Any]:
    """Return attributes of protobuf as a dictionary."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
