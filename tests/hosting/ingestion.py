"""An ingestion server of Application Insights, of the tests' own."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from shared.hosting.telemetry_target import TelemetryTarget

KEY = "00000000-0000-0000-0000-000000000000"


class Ingestion:
    """What was sent, one item per record."""

    def __init__(self) -> None:
        self.envelopes: list[dict[str, Any]] = []
        self.items: list[dict[str, Any]] = []
        self.status = 200
        ingestion = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                found = json.loads(body)
                if ingestion.status == 200:
                    ingestion.envelopes += found
                    ingestion.items += [item["data"]["baseData"] for item in found]
                count = len(found) if ingestion.status == 200 else 0
                answer = json.dumps({"itemsReceived": len(found), "itemsAccepted": count, "errors": []}).encode()
                self.send_response(ingestion.status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.target = TelemetryTarget(
            connection_string=f"InstrumentationKey={KEY};IngestionEndpoint=http://127.0.0.1:{self._server.server_address[1]}/",
            role="my-app",
            instance="instance-1",
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
