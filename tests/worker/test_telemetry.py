"""Receipts, traces and metrics from the real worker, to an ingestion server and to a collector of these tests' own.

The ingestion server speaks TLS, since the exporter gives its token to nobody else; `REQUESTS_CA_BUNDLE` makes its certificate
trusted. All exporters begin some seconds after their process, so the processes here start one after the other, and wait
together.
"""

import gzip
import json
import logging
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import openai
import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import ask
from shared.config.caller_keys import make_caller_key
from shared.hosting.telemetry import Telemetry
from shared.hosting.telemetry_target import TelemetryTarget
from tests.app_process import App
from tests.certificates import write_certificate
from tests.telemetry.receiver import Receiver, attributes
from tests.worker.loaded import has_loaded_the_exporter
from tests.worker.sim import sim

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
AAD = f"ClientId={CLIENT_ID};Authorization=AAD"
PLANTED = "planted-secret-prompt"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
CALLER_KEY, CALLER_ENTRY = make_caller_key("alice")


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
            found = [item for item in items if item.get("properties", {}).get("logger_name") == "shared.receipt"]
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


KEYED = "InstrumentationKey=00000000-0000-0000-0000-000000000000;"


@dataclass(slots=True)
class Destinations:
    """Where the processes here send, and those that cannot."""

    ingestion: Ingestion
    ingestion_of_misconfigured: Ingestion
    refusing: Ingestion
    collector: Receiver
    hanging: Receiver


@pytest.fixture(scope="module")
def destinations(certificate: Path) -> Iterator[Destinations]:
    first, second, refusing = (Ingestion(certificate, status) for status in (200, 200, 403))
    collector, hanging = Receiver(), Receiver()
    yield Destinations(first, second, refusing, collector, hanging)
    for server in (first, second, refusing):
        server.stop()
    collector.stop()
    hanging.stop()


@dataclass(frozen=True, slots=True)
class Apps:
    """Those that cannot export."""

    unreachable: App
    """Nobody listens: no collector, and a proxy before Application Insights that is none."""
    refused: App
    """Its collector takes the first batch and does not answer, until it may; then it refuses, as Application Insights do."""
    misconfigured: App
    """It tells of an invalid setting instead of receipts."""


UNREACHABLE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def apps(simulator_process: Simulator, destinations: Destinations) -> Iterator[Apps]:
    destinations.hanging.may_answer.clear()
    destinations.hanging.status = 503
    entry = {"name": "east", "endpoint": "https://a.openai.azure.com", "api_key": PLANTED}
    unreachable: dict[str, Any] = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": KEYED,
        "HTTPS_PROXY": UNREACHABLE,
        "OTEL_EXPORTER_OTLP_ENDPOINT": UNREACHABLE,
    }
    refused = destinations.refusing.settings | {"OTEL_EXPORTER_OTLP_ENDPOINT": destinations.hanging.address}
    misconfigured = destinations.ingestion_of_misconfigured.settings | {
        "AZURE_OPENAI_BACKENDS": json.dumps([entry]),
        "AUTH_MODE": "keys",
        "CALLER_KEYS": CALLER_ENTRY,
    }
    with (
        App.start(simulator_process, **unreachable) as one,
        App.start(simulator_process, **refused) as other,
        App.start(simulator_process, arguments=("--keys", "host-key"), **misconfigured) as third,
    ):
        yield Apps(one, other, third)


@dataclass(frozen=True, slots=True)
class Exported:
    """What a process has sent that can."""

    first: str
    """The id of an answer; its prompt is planted."""
    traced: str
    """That of an answer in the trace of its caller."""
    last: str
    """That of the answer before the process was stopped."""
    before_the_stop: list[dict[str, Any]]
    """The receipts that had arrived by then."""
    had_loaded_the_exporter: bool
    identity_requests: list[dict[str, Any]]
    asked: dict[str, Any]
    """The call to the model in that trace."""
    receipt: dict[str, Any]


@pytest.fixture(scope="module")
def exported(apps: Apps, simulator_process: Simulator, destinations: Destinations) -> Exported:
    simulator_process.reset()
    settings = destinations.ingestion.settings | {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": AAD,
        "WEBSITE_INSTANCE_ID": "an-instance",
        "OTEL_EXPORTER_OTLP_ENDPOINT": destinations.collector.address,
    }
    with App.start(simulator_process, **settings) as app:
        first = answer_id(app, PLANTED)
        client = openai.OpenAI(base_url=app.url + "/v1", api_key="none", max_retries=0)
        with client.chat.completions.create(
            model="gpt",
            messages=[{"role": "user", "content": sim(PLANTED, tokens=3, interval=0)}],
            stream=True,
            extra_headers={"traceparent": TRACEPARENT},
        ) as stream:
            assert sum(len(chunk.choices) for chunk in stream) > 1
        client.close()
        before = destinations.ingestion.receipts(2)
        destinations.collector.wait_for_spans(2)
        (asked,) = [one for one in simulator_process.requests() if TRACE in one["headers"].get("traceparent", "")]
        (receipt,) = app.receipts(trace_id=TRACE)
        has_loaded = sys.platform != "linux" or has_loaded_the_exporter(app)
        last = answer_id(app)
        app.drain()
        app.wait(15)
    return Exported(
        first, receipt["id"], last, before, has_loaded, simulator_process.identity_requests(), asked, receipt
    )


def answer_id(app: App, prompt: str = "hi") -> str:
    seen = app.chat(sim(prompt, tokens=3, interval=0))
    assert seen.events[-1]["type"] == "finished", (seen.events[-1], app.log)
    return str(seen.headers["x-request-id"])


def test_a_receipt_arrives_with_its_fields_and_the_apps_identity(
    exported: Exported, destinations: Destinations
) -> None:
    (receipt,) = [one for one in exported.before_the_stop if one["properties"]["id"] == exported.first]
    assert exported.had_loaded_the_exporter
    assert json.loads(receipt["message"])["id"] == exported.first
    assert receipt["properties"]["ended"] == "finished"
    assert int(receipt["properties"]["tokens.output"]) > 0
    asked = [parse_qs(record["query"]) for record in exported.identity_requests]
    clients = [query["client_id"] for query in asked if "monitor.azure.com" in query["resource"][0]]
    assert clients
    assert all(client == [CLIENT_ID] for client in clients)
    ingestion = destinations.ingestion
    bearer = ingestion.headers[0]["authorization"].removeprefix("Bearer ")
    assert bearer.count(".") == 2
    assert not any(PLANTED in body or bearer in body for body in ingestion.bodies)


def test_a_stopping_process_sends_what_it_still_has(exported: Exported, destinations: Destinations) -> None:
    def ids(receipts: list[dict[str, Any]]) -> list[str]:
        return [one["properties"]["id"] for one in receipts]

    assert exported.last not in ids(exported.before_the_stop)
    assert exported.last in ids(destinations.ingestion.receipts(3, seconds=0))
    bodies = [entry.body.string_value for entry in destinations.collector.logs()]
    assert exported.last in [json.loads(body)["id"] for body in bodies if '"event":"answer"' in body]


def test_the_trace_of_a_caller_goes_through_host_and_app_up_to_the_models_service(
    exported: Exported, destinations: Destinations
) -> None:
    collector = destinations.collector
    answer, call = [span for span in collector.spans() if span.trace_id.hex() == TRACE]
    assert (answer.name, call.name) == ("answer", "chat gpt")
    assert answer.parent_span_id.hex() not in ("", CALLER)  # the host's own activity
    assert call.parent_span_id == answer.span_id
    assert exported.asked["headers"]["traceparent"] == f"00-{TRACE}-{call.span_id.hex()}-01"
    assert attributes(answer.attributes)["streaming_endpoint.id"] == exported.traced
    names = {metric.name for metric in collector.metrics()}
    assert {"streaming_endpoint.answers", "gen_ai.client.token.usage", "streaming_endpoint.backend.ready"} <= names
    assert not any(PLANTED.encode() in body for _, _, body in collector.requests)


COLLECTOR_FAILS, INSIGHTS_FAIL = "The OpenTelemetry collector does not take traces and metrics", "Application Insights"


def test_destinations_that_are_not_there_disturb_nothing_and_are_told_once(apps: Apps, simulator: Simulator) -> None:
    answer_until_told(apps.unreachable)
    assert KEYED not in apps.unreachable.log


def test_destinations_that_hang_and_refuse_disturb_nothing_and_are_told_once(
    apps: Apps, simulator: Simulator, destinations: Destinations
) -> None:
    app, hanging = apps.refused, destinations.hanging
    deadline = time.monotonic() + 20
    while not hanging.requests and time.monotonic() < deadline:
        answer_id(app)
        time.sleep(0.2)
    answer_id(app)
    assert hanging.requests
    hanging.may_answer.set()
    answer_until_told(app)
    assert json.dumps(hanging.address) not in app.log
    count = len(destinations.refusing.receipts())
    answer_id(app)
    assert len(destinations.refusing.receipts(count + 1)) > count  # it goes on trying
    answer_until_told(app)


def answer_until_told(app: App) -> None:
    """Ask until the log has said of both that they fail; it says so once, and nothing else about them."""
    deadline = time.monotonic() + 30
    while not (COLLECTOR_FAILS in app.log and INSIGHTS_FAIL in app.log) and time.monotonic() < deadline:
        answer_id(app)
        time.sleep(0.2)
    answer_id(app)
    for words in (COLLECTOR_FAILS, INSIGHTS_FAIL):
        assert len([line for line in app.log.splitlines() if words in line]) == 1
    assert "azure.monitor" not in app.log
    assert "Traceback" not in app.log


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
    apps: Apps, destinations: Destinations
) -> None:
    app, ingestion = apps.misconfigured, destinations.ingestion_of_misconfigured
    for path in ("/", "/health", "/v1/models"):
        assert PLANTED.encode() not in ask(app.url + path).body
    message = app.chat("hi").json["error"]["message"]
    assert message.startswith("AZURE_OPENAI_BACKENDS[0] is not valid; expected no fields other than deployments, end")
    found = "AZURE_OPENAI_BACKENDS[0] is not valid: found an unknown field at position 3 (a name of 7 characters)"
    assert app.has_logged(found)
    deadline = time.monotonic() + 20
    while not any(found in body for body in ingestion.bodies) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert any(found in body for body in ingestion.bodies)
    assert not any(PLANTED in text for text in (message, app.log, *ingestion.bodies))


def test_without_aad_no_token_is_sent(apps: Apps, destinations: Destinations) -> None:
    ingestion = destinations.ingestion_of_misconfigured
    deadline = time.monotonic() + 20
    while not ingestion.headers and time.monotonic() < deadline:
        time.sleep(0.1)
    assert ingestion.headers
    assert not any("authorization" in headers for headers in ingestion.headers)


def test_with_a_wrong_setting_the_sentence_reaches_callers_whom_the_host_would_not_know(apps: Apps) -> None:
    for known in ({}, {"authorization": f"Bearer {CALLER_KEY}"}):
        seen = apps.misconfigured.chat("hi", **known)
        assert (seen.status, seen.json["error"]["code"]) == (503, "misconfigured")
        assert "AZURE_OPENAI_BACKENDS[0] is not valid; expected" in seen.json["error"]["message"]


def test_without_a_connection_string_nothing_is_listened_to() -> None:
    before = list(logging.getLogger("shared").handlers)
    Telemetry(TelemetryTarget.from_env({"APPLICATIONINSIGHTS_AUTHENTICATION_STRING": AAD}))
    assert logging.getLogger("shared").handlers == before


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
