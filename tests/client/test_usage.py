"""`python -m client usage`, against a stub of the service in this process."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from client.failures import FAILED, FINISHED, UNAUTHORISED, UNREACHABLE, USAGE
from client.options import is_about_usage, read_usage_options
from client.terminal import main

ROW = {
    "caller": "alice",
    "day": "2026-11-26",
    "model": "gpt\x1b[31m[bold]",
    "answers": 1200,
    "input_tokens": 3_400_000,
    "cached_tokens": 5,
    "output_tokens": 600,
    "reasoning_tokens": 70,
    "estimated_answers": 1,
    "estimated_tokens": 8,
}
TOLD = {
    "object": "usage",
    "caller": "alice",
    "callers": "own",
    "from": "2026-11-01",
    "to": "2026-11-27",
    "rows": [ROW, ROW | {"day": "2026-11-27"}],
    "limits": [
        {"unit": "tokens", "span": "day", "maximum": 20000, "left": 15000, "resets_at": "2026-11-28T00:00:00Z"},
        {"unit": "streams", "span": "now", "maximum": 5, "left": None, "resets_at": None},
    ],
}

type Serve = Callable[..., str]


@pytest.fixture
def asked() -> list[tuple[str, str]]:
    """The path and the key of each request."""
    return []


@pytest.fixture
def serve(asked: list[tuple[str, str]]) -> Iterator[Serve]:
    """Return the address of a service that answers so."""
    servers: list[HTTPServer] = []

    def serve(told: Any, status: int = 200) -> str:
        body = told if isinstance(told, bytes) else json.dumps(told).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers.get("x-functions-key", "")))
                self.send_response(status)
                self.send_header("content-type", "text/csv; charset=utf-8" if body[:1] == b"c" else "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_table_has_a_line_for_each_day_and_model_the_totals_and_what_is_left(
    serve: Serve, asked: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    url = serve(TOLD)
    assert main(["usage", "--url", url + "/chat", "--key", "k", "--from", "2026-11-01"]) == FINISHED
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert asked == [("/usage?from=2026-11-01", "k")]
    assert lines == [
        "Tokens used by alice, 2026-11-01 to 2026-11-27",
        "day model answers input cached output reasoning estimated",
        "2026-11-26 gpt[31m[bold] 1,200 3,400,000 5 600 70 8",
        "2026-11-27 gpt[31m[bold] 1,200 3,400,000 5 600 70 8",
        "total 2,400 6,800,000 10 1,200 140 16",
        "Limit: 20,000 tokens a day, 15,000 left, until 2026-11-28T00:00:00Z",
        "Limit: 5 streams at a time, unknown how many are left",
    ]


def test_an_operator_sees_the_callers_and_what_the_tokens_cost(
    serve: Serve, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [ROW | {"cost": 1.25}, ROW | {"model": "other", "cost": None}]
    assert main(["usage", "--url", serve(TOLD | {"callers": "all", "rows": rows, "limits": []})]) == FINISHED
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Tokens used by all callers, 2026-11-01 to 2026-11-27"
    assert lines[1] == "caller day model answers input cached output reasoning estimated cost"
    assert lines[2].startswith("alice 2026-11-26 gpt")
    assert lines[2].endswith(" 1.2500")
    assert lines[4].endswith(" 1.2500")


def test_where_nothing_was_used_that_is_said(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--url", serve(TOLD | {"rows": [], "limits": []})]) == FINISHED
    assert capsys.readouterr().out == "Nothing used by alice, 2026-11-01 to 2026-11-27\n"


def test_csv_comes_as_it_is_and_json_complete(
    serve: Serve, asked: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["usage", "--url", serve(b"caller,day\r\nalice,1\r\n"), "--csv"]) == FINISHED
    assert capsys.readouterr().out == "caller,day\nalice,1\n"
    assert asked == [("/usage?format=csv", "")]
    assert main(["usage", "--url", serve(TOLD), "--json"]) == FINISHED
    assert json.loads(capsys.readouterr().out) == TOLD


@pytest.mark.parametrize(
    ("told", "status", "expected", "said"),
    [
        ({"error": {"message": "Not recorded.", "code": "usage_not_recorded"}}, 404, FAILED, "Not recorded. ["),
        ({"error": {"message": "No key.", "code": "invalid_api_key"}}, 401, UNAUTHORISED, "No key. Give a key"),
        (b"<html>", 200, FAILED, "Check the URL."),
        ({"object": "list"}, 200, FAILED, "Check the URL."),
        ([], 200, FAILED, "Check the URL."),
    ],
)
def test_an_answer_that_is_no_usage_is_reported(
    serve: Serve, capsys: pytest.CaptureFixture[str], told: Any, status: int, expected: int, said: str
) -> None:
    for format_option in ([], ["--csv"], ["--json"]):
        assert main(["usage", "--url", serve(told, status), *format_option]) == expected
        shown = capsys.readouterr()
        assert shown.out == ""
        assert said in shown.err


def test_a_service_that_is_not_there_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "--url", "http://127.0.0.1:1"]) == UNREACHABLE
    assert "Cannot connect to http://127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--url", "nowhere"], ["--key", "ü"], ["--csv", "--json"], ["--from"], ["x"]])
def test_options_that_are_invalid_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_usage_options(arguments)
    assert ended.value.code == USAGE
    assert "usage: " in capsys.readouterr().err


def test_a_question_may_begin_with_the_word() -> None:
    assert is_about_usage(["usage"])
    assert is_about_usage(["usage", "--csv"])
    assert not is_about_usage(["usage", "of", "tokens"])
    assert not is_about_usage(["what", "usage"])
    assert not is_about_usage([])
