"""Receipts reach Application Insights by themselves: from the real worker to an ingestion server of this test's own.

It speaks TLS, since the exporter gives its token to nobody else; `REQUESTS_CA_BUNDLE` makes its certificate trusted.
"""

import gzip
import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from shared.hosting.telemetry import Telemetry
from shared.hosting.telemetry_target import TelemetryTarget
from tests.app_process import App
from tests.certificates import write_certificate
from tests.platforms import only_on_linux
from tests.worker.sim import sim

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
AAD = f"ClientId={CLIENT_ID};Authorization=AAD"
PLANTED = "planted-secret-prompt"
EXPORTERS_LIBRARY = "_psutil_linux"
"""Only the exporter loads it, so a process that has it has imported the exporter."""


class Ingestion:
    """What was sent: the bodies as text, the items, and the headers of each request."""

    def __init__(self, certificate: Path, status: int) -> None:
        self.certificate = certificate
        self.bodies: list[str] = []
        self.headers: list[dict[str, str]] = []
        ingestion = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                ingestion.headers.append({name.lower(): value for name, value in self.headers.items()})
                ingestion.bodies.append(body.decode())
                count = len(json.loads(body))
                answer = json.dumps({"itemsReceived": count, "itemsAccepted": count, "errors": []}).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def settings(self) -> dict[str, Any]:
        port = self._server.server_address[1]
        key = "00000000-0000-0000-0000-000000000000"
        return {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={key};IngestionEndpoint=https://127.0.0.1:{port}/",
            "REQUESTS_CA_BUNDLE": str(self.certificate),
        }

    def receipts(self, count: int = 1, seconds: float = 20.0) -> list[dict[str, Any]]:
        """The messages of `shared.receipt`, once there are so many; each as its `baseData`."""
        deadline = time.monotonic() + seconds
        while True:
            items = [item["data"]["baseData"] for body in list(self.bodies) for item in json.loads(body)]
            found = [item for item in items if item["properties"].get("logger_name") == "shared.receipt"]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed one for 127.0.0.1, with its key."""
    return write_certificate(tmp_path_factory.mktemp("tls") / "ingestion.pem", "127.0.0.1")


@pytest.fixture
def ingestion(certificate: Path) -> Iterator[Ingestion]:
    server = Ingestion(certificate, 200)
    yield server
    server.stop()


@pytest.fixture
def refusing(certificate: Path) -> Iterator[Ingestion]:
    server = Ingestion(certificate, 403)
    yield server
    server.stop()


def answer_id(app: App, prompt: str = "hi") -> str:
    seen = app.chat(sim(prompt, tokens=3, interval=0))
    assert seen.events[-1]["type"] == "finished", (seen.events[-1], app.log)
    return str(seen.headers["x-request-id"])


@only_on_linux("/proc shows which libraries a process has loaded")
def test_a_receipt_arrives_with_its_fields_and_the_apps_identity(simulator: Simulator, ingestion: Ingestion) -> None:
    settings = ingestion.settings | {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": AAD,
        "WEBSITE_INSTANCE_ID": "an-instance",
    }
    with App.start(simulator, **settings) as app:
        first = answer_id(app, PLANTED)
        (receipt,) = ingestion.receipts()
        assert EXPORTERS_LIBRARY in Path(f"/proc/{app.worker_pid}/maps").read_text()
        assert json.loads(receipt["message"])["id"] == first
        assert receipt["properties"]["id"] == first
        assert receipt["properties"]["ended"] == "finished"
        assert int(receipt["properties"]["tokens.output"]) > 0
        asked = [parse_qs(record["query"]) for record in simulator.identity_requests()]
        assert [query["client_id"] for query in asked if "monitor.azure.com" in query["resource"][0]] == [[CLIENT_ID]]
        bearer = ingestion.headers[0]["authorization"].removeprefix("Bearer ")
        assert bearer.count(".") == 2
        assert not any(PLANTED in body or bearer in body for body in ingestion.bodies)


def test_without_aad_no_token_is_sent_and_a_stopping_process_sends_what_it_still_has(
    simulator: Simulator, ingestion: Ingestion
) -> None:
    with App.start(simulator, **ingestion.settings) as app:
        first = answer_id(app)
        (receipt,) = ingestion.receipts()
        assert receipt["properties"]["id"] == first
        assert "authorization" not in ingestion.headers[0]
        last = answer_id(app)
        app.drain()
        app.wait(10)
    assert ingestion.receipts(2, seconds=0)[-1]["properties"]["id"] == last


def test_an_ingestion_server_that_refuses_disturbs_nothing_and_is_told_once(
    simulator: Simulator, refusing: Ingestion
) -> None:
    with App.start(simulator, **refusing.settings) as app:
        for count in range(1, 4):
            answer_id(app)
            assert len(refusing.receipts(count)) == count
        time.sleep(0.5)
        assert len(app.receipts(count=3)) == 3
        said = [line for line in app.log.splitlines() if "Application Insights" in line]
        assert len(said) == 1
        assert "azure.monitor" not in app.log
        assert "Traceback" not in app.log


@pytest.mark.parametrize("connection", ["nonsense", "InstrumentationKey=00000000-0000-0000-0000-000000000000"])
def test_a_target_that_cannot_work_disturbs_nothing(simulator: Simulator, connection: str) -> None:
    # The last one's own endpoint is made unreachable by a proxy that is none.
    settings: dict[str, Any] = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": connection,
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    with App.start(simulator, **settings) as app:
        deadline = time.monotonic() + 15
        while "Application Insights" not in app.log and time.monotonic() < deadline:
            answer_id(app)
            time.sleep(0.5)
        answer_id(app)
        assert app.log.count("Application Insights") == 1
        assert connection not in app.log


KEYED = "InstrumentationKey=00000000-0000-0000-0000-000000000000;"


@pytest.mark.parametrize(
    "connection",
    [
        f"{KEYED}IngestionEndpoint=https://user:{PLANTED}@host/",
        f"{KEYED}IngestionEndpoint={PLANTED}",
        f"{KEYED}EndpointSuffix={PLANTED}:x",
        f"InstrumentationKey={PLANTED}",
    ],
)
def test_a_connection_string_that_is_none_is_refused_without_showing_it(
    caplog: pytest.LogCaptureFixture, connection: str
) -> None:
    with caplog.at_level(logging.WARNING, "shared.hosting.telemetry"):
        Telemetry(TelemetryTarget(connection_string=connection))._open()
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "Telemetry export to Application Insights is disabled for this process (ValueError): expected"
    )
    assert PLANTED not in record.getMessage()


def test_a_key_that_was_put_into_a_setting_is_neither_answered_nor_logged_nor_sent(
    simulator: Simulator, ingestion: Ingestion
) -> None:
    entry = {"name": "east", "endpoint": "https://a.openai.azure.com", "api_key": PLANTED}
    with App.start(simulator, AZURE_OPENAI_BACKENDS=json.dumps([entry]), **ingestion.settings) as app:
        for path in ("/", "/health", "/v1/models"):
            assert PLANTED.encode() not in ask(app.url + path).body
        message = app.chat("hi").json["error"]["message"]
        assert message.startswith(
            "AZURE_OPENAI_BACKENDS[0] is not valid; expected no fields other than deployments, end"
        )
        found = "AZURE_OPENAI_BACKENDS[0] is not valid: found an unknown field at position 3 (a name of 7 characters)"
        assert app.has_logged(found)
        deadline = time.monotonic() + 20
        while not any(found in body for body in ingestion.bodies) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert any(found in body for body in ingestion.bodies)
        assert not any(PLANTED in text for text in (message, app.log, *ingestion.bodies))


def test_without_a_connection_string_nothing_is_listened_to() -> None:
    before = list(logging.getLogger("shared").handlers)
    Telemetry(TelemetryTarget.from_env({"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": AAD}))
    assert logging.getLogger("shared").handlers == before


@only_on_linux("/proc shows which libraries a process has loaded")
def test_without_a_connection_string_the_exporter_is_not_loaded(app: App) -> None:
    answer_id(app)
    maps = Path(f"/proc/{app.worker_pid}/maps")
    time.sleep(4)
    assert EXPORTERS_LIBRARY not in maps.read_text()


@pytest.mark.parametrize(
    ("text", "with_identity", "client_id"),
    [
        (AAD, True, CLIENT_ID),
        ("Authorization=AAD", True, ""),
        ("authorization=aad; clientid=x", True, "x"),
        ("", False, ""),
        ("nonsense", False, ""),
    ],
)
def test_the_authentication_string_says_as_whom(text: str, with_identity: bool, client_id: str) -> None:
    target = TelemetryTarget.from_env({"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": text})
    assert (target.with_identity, target.client_id) == (with_identity, client_id)
