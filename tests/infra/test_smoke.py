"""The smoke script with working and broken deployments."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dev import smoke
from dev.simulator.control import Simulator
from dev.smoke import main
from tests.app_process import App

KEY = "the-right-key"
DELTA = {"type": "delta", "text": "hello"}
FINISHED = {"type": "finished", "finish_reason": "stop"}
NO_HEADERS: Mapping[str, str] = {}
WELL = (DELTA, DELTA, FINISHED)


class Stub(BaseHTTPRequestHandler):
    """A deployment that answers /chat with `events`, and accepts `key` ('' for no authentication)."""

    protocol_version = "HTTP/1.1"
    events: tuple[object, ...] = WELL
    key = KEY
    refusal = 401
    health = 200
    kind = "text/event-stream; charset=utf-8"
    patches = ""

    def do_GET(self) -> None:
        """Answer GET /health."""
        shown = {"x-version": "1.2.3", "x-patches": self.patches}
        self._whole(self.health, b'{"status":"ok"}', {name: value for name, value in shown.items() if value})

    def do_POST(self) -> None:
        """Answer POST /chat."""
        self.rfile.read(int(self.headers["content-length"]))
        if self.key and self.headers.get("x-functions-key") != self.key:
            return self._whole(self.refusal, b"")
        self.send_response(200)
        self.send_header("content-type", self.kind)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        texts = [f"event: x\ndata: {json.dumps(event)}\n\n: heartbeat\n\n".encode() for event in self.events]
        self.wfile.write(b"".join(b"%x\r\n%s\r\n" % (len(text), text) for text in texts) + b"0\r\n\r\n")
        return None

    def _whole(self, status: int, body: bytes, headers: Mapping[str, str] = NO_HEADERS) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Log nothing."""


@contextmanager
def deployment(**behaviour: object) -> Iterator[str]:
    """Serve a stub with the given behaviour; yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Deployment", (Stub,), behaviour)) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # who leaves in mid-stream is no error
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def results(output: str) -> dict[str, str]:
    """Return the table's results by check."""
    return {line[:9].strip(): line[10:17].strip() for line in output.splitlines()[1:]}


def test_a_working_deployment_passes_and_its_first_delta_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment() as url:
        assert main(url, KEY) == 0
    output = capsys.readouterr().out
    assert results(output) == dict.fromkeys(("health", "patches", "stream", "leaving", "bad key"), "ok")
    assert re.search(r"first word after [\d.]+ s, 2 deltas in [\d.]+ s, finished \(stop\)", output)
    assert "401, as expected" in output


def test_an_open_deployment_passes_and_is_reported_as_open(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(key="") as url:
        assert main(url, "") == 0
    assert "open: no authentication" in capsys.readouterr().out


def test_a_deployment_that_accepts_an_invalid_key_fails_if_it_should_have_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployment(key="") as url:
        assert main(url, KEY) == 1
    assert results(capsys.readouterr().out)["bad key"] == "FAILED"


def test_a_deployment_that_shows_its_patches_passes_with_all_of_them_on(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(patches="own server on; bounded waits on") as url:
        assert main(url, KEY) == 0
    assert "version 1.2.3; own server on; bounded waits on" in capsys.readouterr().out


def test_a_patch_that_is_off_fails_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(patches="own server off; bounded waits on") as url:
        assert main(url, KEY) == 1
    output = capsys.readouterr().out
    assert results(output)["patches"] == "FAILED"
    assert "version 1.2.3; own server off: the log has the reason" in output


def test_a_deployment_that_keeps_its_patches_to_itself_passes(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment() as url:
        assert main(url, KEY) == 0
    assert "version 1.2.3; the patches are not shown (DEBUG_HEADERS=true shows them)" in capsys.readouterr().out


def test_a_missing_key_is_reported_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment() as url:
        assert main(url, "") == 1
    output = capsys.readouterr().out
    assert "set KEY=..." in output
    assert results(output) == {
        "health": "ok",
        "patches": "ok",
        "stream": "FAILED",
        "leaving": "FAILED",
        "bad key": "ok",
    }


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((DELTA,), "ended after 1 deltas"),
        ((DELTA, {"type": "failed", "error": {"code": "upstream_cut"}}), '"code": "upstream_cut"'),
        ((FINISHED,), "without any text"),
        (("no event",), "event without a type"),
    ],
    ids=["cut", "failed", "empty", "odd"],
)
def test_a_stream_that_does_not_finish_fails(
    capsys: pytest.CaptureFixture[str], events: tuple[object, ...], words: str
) -> None:
    with deployment(events=events) as url:
        assert main(url, KEY) == 1
    output = capsys.readouterr().out
    assert results(output)["stream"] == "FAILED"
    assert words in output


MANY = (*[DELTA] * smoke.MANY_DELTAS, FINISHED)


@pytest.mark.parametrize(
    ("events", "prompt_seconds", "status"),
    [(MANY, 0.0, 1), (MANY, 60.0, 0), (WELL, 0.0, 0)],
    ids=["late and all at once", "all at once, but soon", "late, but too short to detect"],
)
def test_a_stream_that_was_buffered_on_the_way_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    events: tuple[object, ...],
    prompt_seconds: float,
    status: int,
) -> None:
    monkeypatch.setattr(smoke, "PROMPT_SECONDS", prompt_seconds)
    monkeypatch.setattr(smoke, "BUFFERED_SECONDS", 60.0)
    with deployment(events=events) as url:
        assert main(url, KEY) == status
    output = capsys.readouterr().out
    assert results(output)["stream"] == ("FAILED" if status else "ok")
    assert (f"buffered: {smoke.MANY_DELTAS} deltas" in output) == bool(status)


def test_a_response_that_is_not_a_stream_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(kind="application/json") as url:
        assert main(url, KEY) == 1
    output = capsys.readouterr().out
    assert results(output)["stream"] == results(output)["leaving"] == "FAILED"
    assert "expected text/event-stream, got application/json: " in output


def test_a_server_error_does_not_count_as_a_rejected_key(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(refusal=500) as url:
        assert main(url, KEY) == 1
    assert results(capsys.readouterr().out)["bad key"] == "FAILED"


def test_an_unhealthy_deployment_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(health=503) as url:
        assert main(url, KEY) == 1
    assert results(capsys.readouterr().out)["health"] == "FAILED"


def test_an_unreachable_deployment_fails_with_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("http://127.0.0.1:1", "") == 1
    assert "ConnectionRefusedError" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["", "func-abc.azurewebsites.net", "ftp://x", "http://x:abc"])
def test_an_invalid_url_is_reported(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main(url, "") == 2
    assert "expected an http or https URL" in capsys.readouterr().out


def test_the_app_itself_passes_and_is_reported_as_open(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(app.url, "") == 0
    output = capsys.readouterr().out
    assert "open: no authentication" in output
    assert "; own server on; " in output


def test_the_app_with_function_keys_passes_with_the_key_and_rejects_an_invalid_one(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    with App.start(simulator, arguments=("--keys", KEY), AUTH_MODE="function") as app:
        assert main(app.url, KEY) == 0
    assert "401, as expected" in capsys.readouterr().out
