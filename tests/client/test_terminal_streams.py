"""The terminal client in the test's own process: what it reads, what it writes, and its exit status.

As a process, against the app, it is proven in `test_terminal`.
"""

import errno
import io
import json
import runpy
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from client.failures import BROKEN_PIPE, FAILED, FINISHED, INCOMPLETE, INTERRUPTED, UNREACHABLE, USAGE
from client.terminal import HELP, main

type Event = dict[str, Any]


def said(text: str = "Hello", reason: str = "stop") -> list[Event]:
    return [
        {"type": "started", "id": "1", "model": "m"},
        {"type": "delta", "text": text},
        {"type": "usage", "input_tokens": 1, "output_tokens": 1, "cached_tokens": 0, "reasoning_tokens": 0},
        {"type": "finished", "finish_reason": reason},
    ]


class Service:
    """Answers every request with these events, and keeps what was asked."""

    def __init__(self) -> None:
        self.events = said()
        self.asked: list[Any] = []
        self.models = json.dumps({"object": "list", "data": [{"id": "one"}, {"id": "two"}]}).encode()
        self.status_of_models = 200
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                service.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                body = "".join(f"data: {json.dumps(event)}\n\n" for event in service.events).encode()
                self.send_response(200)
                self.send_header("content-type", "text/event-stream")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.send_response(service.status_of_models)
                self.end_headers()
                self.wfile.write(service.models)

            def log_message(self, *arguments: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    started = Service()
    monkeypatch.setenv("STREAM_URL", started.url)
    yield started
    started.stop()


class Typed(io.StringIO):
    """Standard input: a terminal at which this is typed, or a pipe."""

    def __init__(self, text: str, *, is_terminal: bool) -> None:
        super().__init__(text)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def types(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr(sys, "stdin", Typed("".join(line + "\n" for line in lines), is_terminal=True))


def test_a_question_as_an_argument_is_answered(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hi"]) == FINISHED
    assert capsys.readouterr() == ("Hello\n", "")
    assert service.asked == [{"messages": [{"role": "user", "content": "hi"}]}]


def test_a_question_in_a_pipe_is_answered(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Typed("hi\n", is_terminal=False))
    assert main([]) == FINISHED
    assert service.asked[0]["messages"][0]["content"] == "hi\n"


def test_no_question_at_all_is_wrong_use(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Typed(" \n", is_terminal=False))
    assert main([]) == USAGE
    assert (capsys.readouterr().out, service.asked) == ("", [])


def test_verbose_reports_on_standard_error(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hi", "--verbose"]) == FINISHED
    assert "tokens 1 in, 1 out" in capsys.readouterr().err


def test_a_conversation_remembers_until_it_is_told_to_forget(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "one", "", "two", "/new", "three", "/exit", "never asked")
    assert main([]) == FINISHED
    turns = [[message["content"] for message in asked["messages"]] for asked in service.asked]
    assert turns == [["one"], ["one", "Hello", "two"], ["three"]]


def test_commands_are_answered_by_the_client_itself(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "/help", "/new", "/model", "/model two", "/model", "/nothing", "hi", "/exit")
    assert main([]) == FINISHED
    assert capsys.readouterr().err.splitlines() == [
        HELP,
        "A new conversation.",
        "Model: the default. /model NAME chooses another: one, two",
        "Model: two",
        "Model: two. /model NAME chooses another: one, two",
        f"There is no /nothing. {HELP}",
    ]
    assert service.asked == [{"messages": [{"role": "user", "content": "hi"}], "model": "two"}]


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"<html>", "Expected a list of models"),
        (404, b"", "HTTP status 404"),
        (200, b'{"data": []}', "none is listed"),
    ],
)
def test_a_service_without_a_list_of_models_is_reported(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: int,
    body: bytes,
    told: str,
) -> None:
    service.status_of_models, service.models = status, body
    types(monkeypatch, "/model")
    assert main([]) == FINISHED
    assert told in capsys.readouterr().err


def test_a_service_that_is_not_there_has_no_list_of_models(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    types(monkeypatch, "/model")
    assert main(["--url", "http://127.0.0.1:1"]) == FINISHED
    assert "Cannot connect to http://127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(("piped", "asked"), [("a line\n", "explain\n\na line\n"), ("", "explain")])
def test_a_file_follows_the_question(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, piped: str, asked: str
) -> None:
    (tmp_path / "log").write_text(piped)
    with (tmp_path / "log").open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        assert main(["explain"]) == FINISHED
    assert service.asked[0]["messages"][0]["content"] == asked


class OnATerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_conversation_on_a_terminal_begins_with_a_greeting(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    out = OnATerminal()
    monkeypatch.setattr(sys, "stdout", out)
    types(monkeypatch)
    assert main(["--model", "m"]) == FINISHED
    assert out.getvalue().startswith(f"Asking {service.url} (m). /help lists the commands, Ctrl-D quits.\n")


def test_ctrl_c_stops_an_answer_and_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def interrupted(_chat: object, _question: str) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("client.terminal.Chat.answer", interrupted)
    assert main(["hi"]) == INTERRUPTED
    types(monkeypatch, "hi")
    assert main([]) == FINISHED
    assert capsys.readouterr().err.split() == ["Stopped.", "Stopped."]


def test_a_conversation_ends_with_its_input(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    types(monkeypatch, "one")
    assert (main([]), len(service.asked)) == (FINISHED, 1)


def test_ctrl_c_at_the_prompt_asks_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions: Iterator[str | BaseException] = iter([KeyboardInterrupt(), "one", EOFError()])

    def ask(_prompt: str = "") -> str:
        found = next(questions)
        if isinstance(found, BaseException):
            raise found
        return found

    types(monkeypatch)
    monkeypatch.setattr("builtins.input", ask)
    assert (main([]), len(service.asked)) == (FINISHED, 1)


def test_ctrl_c_outside_a_conversation_ends_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(Typed):
        def read(self, _size: int | None = -1, /) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", Interrupted("", is_terminal=False))
    assert main([]) == INTERRUPTED


@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_was_ended_early_is_incomplete(
    service: Service, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service.events = said(reason=reason)
    assert main(["hi"]) == INCOMPLETE
    assert capsys.readouterr().out == "Hello\n"


@pytest.mark.parametrize(("words", "status"), [(0, FAILED), (1, INCOMPLETE)])
def test_a_failure_inside_the_stream_is_shown_once(
    service: Service, words: int, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    error = {"message": "It broke.", "code": "upstream_cut"}
    service.events = [*said()[: 1 + words], {"type": "failed", "error": error}]
    assert main(["hi", "--json"]) == status
    shown = capsys.readouterr()
    assert [json.loads(line)["type"] for line in shown.out.splitlines()].count("failed") == 1
    assert "It broke. [upstream_cut]" in shown.err


def test_a_failure_of_the_connection_is_an_event_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hi", "--json", "--url", "http://127.0.0.1:1"]) == UNREACHABLE
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == "unreachable"
    assert "[unreachable]" in shown.err


class Broken(io.StringIO):
    """Standard output that takes nothing."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def write(self, _text: str, /) -> int:
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [(BrokenPipeError(errno.EPIPE, "Broken pipe"), BROKEN_PIPE), (OSError(errno.ENOSPC, "No space left"), FAILED)],
)
def test_an_answer_that_nobody_can_read_has_a_status_of_its_own(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: OSError, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", Broken(error))
    assert main(["hi"]) == status


def test_a_closed_standard_stream_leads_nowhere(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    assert main(["hi"]) == FINISHED
    opened = [sys.stdin, sys.stdout, sys.stderr]
    assert None not in opened
    for stream in opened:
        stream.close()


def test_the_modules_own_command_ends_with_the_status(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["client", "hi"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("client", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out) == (FINISHED, "Hello\n")


def test_ctrl_c_while_it_is_still_being_imported_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_arguments: object = None) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("client.terminal.main", interrupted)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("client", run_name="__main__")
    assert ended.value.code == INTERRUPTED
