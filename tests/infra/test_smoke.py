"""The smoke script against deployments that behave, and against those that do not."""

import json
import re
import threading
from collections.abc import Iterator
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
WELL = (DELTA, DELTA, FINISHED)


class Stub(BaseHTTPRequestHandler):
    """A deployment that answers /chat with `events`, and lets in who has `key` ('' for anyone)."""

    protocol_version = "HTTP/1.1"
    events: tuple[object, ...] = WELL
    key = KEY
    refusal = 401
    health = 200
    kind = "text/event-stream; charset=utf-8"

    def do_GET(self) -> None:
        """GET /health."""
        self._whole(self.health, b'{"status":"ok"}')

    def do_POST(self) -> None:
        """POST /chat."""
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

    def _whole(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the library's
        """Says nothing."""


@contextmanager
def deployment(**behaviour: object) -> Iterator[str]:
    """A stub with the behaviour given, at an address of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Deployment", (Stub,), behaviour)) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign] # who leaves in mid-stream is no error
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def results(output: str) -> dict[str, str]:
    """The table's results by check."""
    return {line[:9].strip(): line[10:17].strip() for line in output.splitlines()[1:]}


def test_a_deployment_that_behaves_passes_and_its_first_word_is_timed(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment() as url:
        assert main(url, KEY) == 0
    output = capsys.readouterr().out
    assert results(output) == dict.fromkeys(("health", "stream", "leaving", "bad key"), "ok")
    assert re.search(r"first word after [\d.]+ s, 2 deltas in [\d.]+ s, finished \(stop\)", output)
    assert "401, as it should be" in output


def test_an_open_deployment_passes_and_is_called_open(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(key="") as url:
        assert main(url, "") == 0
    assert "open: anyone may call" in capsys.readouterr().out


def test_a_deployment_that_lets_a_wrong_key_in_fails_when_it_should_have_keys(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with deployment(key="") as url:
        assert main(url, KEY) == 1
    assert results(capsys.readouterr().out)["bad key"] == "FAILED"


def test_a_missing_key_is_told_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment() as url:
        assert main(url, "") == 1
    output = capsys.readouterr().out
    assert "give KEY=..." in output
    assert results(output) == {"health": "ok", "stream": "FAILED", "leaving": "FAILED", "bad key": "ok"}


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((DELTA,), "broke off after 1 deltas"),
        ((DELTA, {"type": "failed", "error": {"code": "upstream_cut"}}), '"code": "upstream_cut"'),
        ((FINISHED,), "without a word"),
        (("no event",), "an event without a type"),
    ],
    ids=["cut", "failed", "empty", "odd"],
)
def test_a_stream_that_does_not_finish_well_fails(
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
    ids=["late and all at once", "all at once, but soon", "late, but too short to tell"],
)
def test_a_stream_that_was_collected_on_the_way_fails(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    events: tuple[object, ...],
    prompt_seconds: float,
    status: int,
) -> None:
    monkeypatch.setattr(smoke, "PROMPT_SECONDS", prompt_seconds)
    monkeypatch.setattr(smoke, "HELD_BACK_SECONDS", 60.0)
    with deployment(events=events) as url:
        assert main(url, KEY) == status
    output = capsys.readouterr().out
    assert results(output)["stream"] == ("FAILED" if status else "ok")
    assert (f"held back: {smoke.MANY_DELTAS} deltas" in output) == bool(status)


def test_an_answer_that_is_no_stream_is_called_so(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(kind="application/json") as url:
        assert main(url, KEY) == 1
    output = capsys.readouterr().out
    assert results(output)["stream"] == results(output)["leaving"] == "FAILED"
    assert "no stream, but application/json: " in output


def test_a_server_error_is_no_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(refusal=500) as url:
        assert main(url, KEY) == 1
    assert results(capsys.readouterr().out)["bad key"] == "FAILED"


def test_an_unhealthy_deployment_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with deployment(health=503) as url:
        assert main(url, KEY) == 1
    assert results(capsys.readouterr().out)["health"] == "FAILED"


def test_a_deployment_that_is_not_there_fails_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("http://127.0.0.1:1", "") == 1
    assert "ConnectionRefusedError" in capsys.readouterr().out


@pytest.mark.parametrize("url", ["", "func-abc.azurewebsites.net", "ftp://x", "http://x:abc"])
def test_what_is_no_address_is_told_so(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main(url, "") == 2
    assert "expected an address" in capsys.readouterr().out


def test_the_app_itself_passes_and_is_called_open(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(app.url, "") == 0
    assert "open: anyone may call" in capsys.readouterr().out


def test_the_app_with_function_keys_passes_with_the_key_and_refuses_a_wrong_one(
    simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    with App.start(simulator, arguments=("--keys", KEY), AUTH_MODE="function") as app:
        assert main(app.url, KEY) == 0
    assert "401, as it should be" in capsys.readouterr().out
