"""`make run TELEMETRY=1`: what it shows of traces and metrics."""

import gzip
import http.client
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from dev.collector.__main__ import MAX_TRACES, Collected, server
from dev.run import _start_collector
from shared.telemetry.aggregation import Aggregation
from shared.telemetry.measurements import Instruments, measured
from shared.telemetry.names import Names, Semconv
from shared.telemetry.otlp import Envelope
from shared.telemetry.spans import Span, spans_of
from tests.telemetry.samples import ENDED_AT, TRACE, describer, receipt, searched, trace

ENVELOPE = Envelope({"service.name": "my-app"}, "shared", "1")


class Asked:
    def __init__(self) -> None:
        self.said: list[str] = []
        self._server = server(Collected(self.said.append), 0)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.server_address[1], timeout=10)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def collector() -> Iterator[Asked]:
    started = Asked()
    yield started
    started.stop()


def spans(**fields: object) -> list[Span]:
    return spans_of(receipt(**fields), ENDED_AT, describer())


def test_a_trace_is_a_tree_with_times_backends_and_tokens(collector: Asked) -> None:
    body = ENVELOPE.spans(spans_of(searched(), ENDED_AT, describer()))
    assert collector.ask("POST", "/v1/traces", gzip.compress(body), **{"content-encoding": "gzip"})[0] == 200
    (text,) = collector.said
    names = [line.strip().split("  ")[0] for line in text.splitlines()]
    assert names == ["answer", "chat gpt", "retrieval", "chat gpt", "chat gpt"]
    assert [len(line) - len(line.lstrip()) for line in text.splitlines()] == [0, 2, 2, 4, 2]
    assert "rate_limit_exceeded  at east" in text
    assert "at west  in 1000  out 200" in text


def test_the_page_shows_traces_and_metrics_and_nothing_of_them_is_html(collector: Asked) -> None:
    assert "None yet." in collector.ask("GET", "/")[1]
    collector.ask("POST", "/v1/traces", ENVELOPE.spans(spans(model="<script>")))
    sums = Aggregation(is_delta=False)
    sums.add(measured(receipt(), Instruments(Names.of(Semconv.V1_41)), describer()))
    collector.ask("POST", "/v1/metrics", ENVELOPE.metrics(sums.collect()))
    page = collector.ask("GET", "/")[1]
    assert TRACE in page
    assert "chat &lt;script&gt;" in page
    assert "<script>" not in page
    assert "gen_ai.client.token.usage" in page
    assert "1 × 0.75 s" in page


def test_old_traces_go(collector: Asked) -> None:
    for number in range(MAX_TRACES + 5):
        one = trace()
        changed = type(one)(
            trace_id=f"{number + 1:032x}", span_id=one.span_id, parent_id="", is_sampled=True, ratio=1.0, state=""
        )
        collector.ask("POST", "/v1/traces", ENVELOPE.spans(spans(trace=changed)))
    page = collector.ask("GET", "/")[1]
    assert page.count("<pre>") == MAX_TRACES
    assert f"{1:032x}" not in page


def test_it_is_started_before_the_app_which_is_told_its_address() -> None:
    env: dict[str, str] = {}
    process = _start_collector(env)
    try:
        address = env["OTEL_EXPORTER_OTLP_ENDPOINT"]
        with urllib.request.urlopen(address, timeout=20) as page:
            assert b"None yet." in page.read()
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/v1/traces", b"garbage", {}, 400),
        ("/v1/metrics", b"\xff\xff", {}, 400),
        ("/v1/traces", b"no gzip", {"content-encoding": "gzip"}, 400),
        ("/v1/logs", b"anything", {}, 200),
        ("/elsewhere", b"", {}, 404),
    ],
)
def test_what_is_no_otlp_is_refused(
    collector: Asked, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert collector.ask("POST", path, body, **headers)[0] == status
    assert collector.ask("GET", "/nothing")[0] == 404
