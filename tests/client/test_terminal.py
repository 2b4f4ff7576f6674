"""The terminal client against the app on the real worker.

As a process where its streams, signals and terminal matter; what it says and its exit status are read in this process, since
a start costs more than an answer.
"""

import contextlib
import io
import json
import os
import pty
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from client.failures import (
    BROKEN_PIPE,
    EXIT_STATUSES,
    FAILED,
    FINISHED,
    INCOMPLETE,
    INTERRUPTED,
    UNAUTHORISED,
    UNREACHABLE,
    USAGE,
)
from client.terminal import main
from dev.simulator.control import Simulator
from shared.config.caller_keys import make_caller_key
from tests.app_process import ROOT, App
from tests.platforms import only_on_linux

COMMAND = [sys.executable, "-m", "client"]
ENDLESS: dict[str, Any] = {"tokens": 1000, "interval": 0.05}


def sim(**behaviour: Any) -> str:
    return f"hi [[sim {json.dumps(behaviour)}]]"


def environment(url: str, **more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"STREAM_URL": url} | more


def run_process(url: str, *arguments: str, said: str = "", **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment(url, **env),
        input=said,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=30,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class Done:
    """What a run in this process wrote, and the exit status that its process would have."""

    returncode: int | str | None
    stdout: str
    stderr: str


def run(url: str, *arguments: str, said: str = "", **env: str) -> Done:
    output, errors = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
    ):
        patch.setattr(os, "environ", environment(url, **env))
        patch.setattr(sys, "stdin", io.StringIO(said))
        try:
            # New strings, as in `sys.argv`: argparse asks whether a value is the very object that is the default.
            status: int | str | None = main(shlex.split(shlex.join(arguments)))
        except SystemExit as left:
            status = left.code
    return Done(status, output.getvalue(), errors.getvalue())


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_question_as_an_argument_is_answered(app: App) -> None:
    done = run_process(app.url, sim(tokens=["Grüße", ", ", "Welt 😀"]))
    assert (done.returncode, done.stdout, done.stderr) == (FINISHED, "Grüße, Welt 😀\n", "")


def test_a_question_on_standard_input_is_answered(app: App, simulator: Simulator) -> None:
    done = run_process(app.url, said="What is a queue?\n")
    assert done.returncode == FINISHED
    assert json.loads(simulator.requests()[0]["body"])["messages"][-1]["content"] == "What is a queue?\n"


def test_text_that_is_piped_in_follows_the_question(app: App, simulator: Simulator) -> None:
    assert run_process(app.url, "explain", "this", said="line 1\nline 2\n").returncode == FINISHED
    assert run_process(app.url, "no text", said=" \n").returncode == FINISHED
    questions = [json.loads(request["body"])["messages"][-1]["content"] for request in simulator.requests()]
    assert questions == ["explain this\n\nline 1\nline 2\n", "no text"]


def test_a_question_does_not_wait_for_a_standard_input_that_nobody_writes_to(app: App) -> None:
    ours, theirs = socket.socketpair()  # as a program has it that an editor or a service started
    with ours, theirs:
        command, env = [*COMMAND, sim(tokens=["fine"])], environment(app.url)
        done = subprocess.run(
            command, cwd=ROOT, env=env, stdin=theirs.fileno(), stdout=subprocess.PIPE, timeout=30, check=False
        )
    assert (done.returncode, done.stdout) == (FINISHED, b"fine\n")


@pytest.mark.parametrize(
    "options", [["--format", "sse"], ["--format", "ndjson"], ["--format", "json"], ["--no-stream"]]
)
def test_scripts_get_the_same_events_from_every_format(app: App, options: list[str]) -> None:
    said = events(run(app.url, sim(tokens=["one ", "two"]), "--json", *options).stdout)
    assert "".join(event["text"] for event in said if event["type"] == "delta") == "one two"
    assert said[0]["type"] == "started"
    assert said[-2]["output_tokens"] == 2
    assert said[-1] == {"type": "finished", "finish_reason": "stop"}


def test_the_text_format_gives_the_words(app: App) -> None:
    assert run(app.url, sim(tokens=["one ", "two"]), "--format", "text").stdout == "one two\n"


def test_model_and_system_reach_the_model(app: App, simulator: Simulator) -> None:
    run(app.url, "hi", "--model", "other", "--system", "Be brief.")
    body = json.loads(simulator.requests()[0]["body"])
    assert body["model"] == "other"
    assert [message["role"] for message in body["messages"]] == ["system", "user"]


def test_verbose_reports_timing_and_usage_on_standard_error(app: App) -> None:
    done = run(app.url, sim(tokens=3, interval=0.02), "--verbose")
    assert re.search(r"first token \d+\.\d\d s, total \d+\.\d\d s, \d+\.\d tokens/s, tokens \d+ in, 3 out", done.stderr)


@pytest.mark.parametrize(
    ("question", "arguments", "status", "told"),
    [
        (sim(status=400, error="bad_thing"), [], FAILED, "bad_thing"),
        (sim(tokens=4, end="cut", after=2), [], INCOMPLETE, "upstream_cut"),
        (sim(tokens=4, end="cut", after=2), ["--format", "text"], INCOMPLETE, "connection was lost"),
        (sim(tokens=4, finish_reason="length"), [], INCOMPLETE, "token limit"),
        (sim(tokens=4, finish_reason="content_filter"), ["--no-stream"], INCOMPLETE, "content filter"),
        ("hi", ["--url", "http://127.0.0.1:9"], UNREACHABLE, "Cannot connect to"),
        ("hi", ["--url", "127.0.0.1"], USAGE, "--url"),
        ("hi", ["--url", "http://"], USAGE, "--url"),
        ("hi", ["--url", "http://127.0.0.1:99999"], USAGE, "--url"),
        ("hi", ["--url", "http://host:port"], USAGE, "--url"),
        ("hi", ["--url", "http://[::1"], USAGE, "--url"),
        ("hi", ["--url", "http://ä..b"], USAGE, "--url"),
        ("hi", ["--key", "Schlüssel"], USAGE, "--key"),
        ("hi", ["--no-stream", "--format", "sse"], USAGE, "not allowed with"),
        (" ", [], USAGE, "empty"),
    ],
)
def test_each_outcome_has_its_exit_status_and_a_message(
    app: App, question: str, arguments: list[str], status: int, told: str
) -> None:
    done = run(app.url, question, *arguments)
    assert done.returncode == status
    assert told in done.stderr
    assert f"\n  {status} " in EXIT_STATUSES


def test_no_question_at_all_is_invalid_usage(app: App) -> None:
    assert run(app.url, said="\n").returncode == USAGE


@pytest.mark.parametrize("question", [sim(status=429, headers={"retry-after": "7"}), sim(tokens=4, end="cut", after=2)])
def test_a_failure_is_the_last_event_too(app: App, question: str) -> None:
    said = events(run(app.url, question, "--json").stdout)
    assert [event["type"] for event in said].count("failed") == 1
    assert said[-1]["error"]["message"]


def test_a_key_is_sent_and_an_invalid_one_has_its_own_exit_status(simulator: Simulator) -> None:
    key, entry = make_caller_key("me")
    with App.start(simulator, AUTH_MODE="keys", CALLER_KEYS=entry) as app:
        assert run(app.url, "hi", "--key", key).returncode == FINISHED
        assert run(app.url, "hi", STREAM_KEY=key).returncode == FINISHED
        assert run(app.url, "hi", "--key", "wrong").returncode == UNAUTHORISED
        without = run(app.url, "hi")
        assert without.returncode == UNAUTHORISED
        assert "Give a key with --key or STREAM_KEY" in without.stderr


def test_ctrl_c_stops_the_answer_and_the_upstream(app: App, simulator: Simulator) -> None:
    process = subprocess.Popen(
        [*COMMAND, sim(**ENDLESS)], cwd=ROOT, env=environment(app.url), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process:
        assert process.stdout.read(5)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == INTERRUPTED
        assert process.stderr.read() == b"Stopped.\n"
    assert simulator.wait_for(ended="client_gone")["tokens_sent"] < ENDLESS["tokens"]


def test_a_broken_pipe_stops_the_upstream(app: App, simulator: Simulator) -> None:
    process = subprocess.Popen([*COMMAND, sim(**ENDLESS)], cwd=ROOT, env=environment(app.url), stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.read(5)
    process.stdout.close()
    assert process.wait(10) == BROKEN_PIPE
    simulator.wait_for(ended="client_gone")


@only_on_linux("/dev/full")
def test_an_answer_that_cannot_be_written_stops_the_upstream_and_is_reported(app: App, simulator: Simulator) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        command, env = [*COMMAND, sim(**ENDLESS)], environment(app.url)
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=full, stderr=subprocess.PIPE, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (FAILED, b"Cannot write the answer: No space left on device.\n")
    simulator.wait_for(ended="client_gone")


@pytest.mark.parametrize(("closed", "status"), [("<&-", USAGE), ("'hi' >&-", FINISHED), ("'hi' 2>&-", FINISHED)])
def test_a_closed_standard_stream_acts_as_the_null_device(app: App, closed: str, status: int) -> None:
    command = f"{sys.executable} -m client {closed}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, env=environment(app.url), capture_output=True, timeout=30, check=False
    )
    assert done.returncode == status
    assert b"Traceback" not in done.stderr


def test_ctrl_c_while_the_program_is_still_loading_is_quiet(app: App, tmp_path: Path) -> None:
    (tmp_path / "httpx.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nwhile True: pass\n")
    done = run_process(app.url, "hi", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (INTERRUPTED, "")


class Conversation:
    """The client on a pseudo-terminal."""

    def __init__(self, url: str) -> None:
        self._terminal, side = pty.openpty()
        env = environment(url, TERM="xterm", COLUMNS="80", LINES="24")
        self._process = subprocess.Popen(
            COMMAND, cwd=ROOT, env=env, stdin=side, stdout=side, stderr=side, start_new_session=True
        )
        os.close(side)
        self.seen = ""

    def wait_for(self, text: str, seconds: float = 15.0) -> None:
        """Read until `text` has arrived since the last call, and drop everything up to it."""
        deadline = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self._terminal], [], [], 0.1)[0]:
                self.seen += os.read(self._terminal, 65536).decode(errors="replace")
        self.seen = self.seen.partition(text)[2]

    def type(self, text: str) -> None:
        """Send key presses."""
        os.write(self._terminal, text.encode())

    def interrupt(self) -> None:
        """Send the signal of Ctrl-C: this terminal controls no process, so it sends none itself."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait until the client exits, and return its status."""
        return self._process.wait(10)

    def close(self) -> None:
        """Kill the client if it still runs."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@pytest.fixture
def conversation(app: App) -> Iterator[Conversation]:
    started = Conversation(app.url)
    try:
        started.wait_for("> ")
        yield started
    finally:
        started.close()


def test_a_conversation_remembers_what_was_said(conversation: Conversation, simulator: Simulator) -> None:
    conversation.type(sim(tokens=["My name", " is Ada."]) + "\n")
    conversation.wait_for("is Ada.")
    conversation.wait_for("> ")
    conversation.type("What is it?\n")
    conversation.wait_for("> ")
    conversation.type("/new\n")
    conversation.wait_for("> ")
    conversation.type("And now?\n")
    conversation.wait_for("> ")
    conversation.type("\x04")
    assert conversation.end() == FINISHED
    turns = [[m["content"] for m in json.loads(request["body"])["messages"]] for request in simulator.requests()]
    assert [len(turn) for turn in turns] == [1, 3, 1]
    assert turns[1][1] == "My name is Ada."


def test_a_conversation_begins_with_whom_it_asks(app: App) -> None:
    started = Conversation(app.url)
    try:
        started.wait_for(f"Asking {app.url} (its default model). /help lists the commands, Ctrl-D quits.")
        started.wait_for("> ")
    finally:
        started.close()


def test_commands_are_obeyed_and_cost_nothing(conversation: Conversation, simulator: Simulator) -> None:
    for command, told in (
        ("/help", "/new starts over, /model NAME asks another model"),
        ("/new", "A new conversation."),
        ("/model", "Model: the default. /model NAME chooses another: gpt"),
        ("/model other", "Model: other"),
        ("/models", "There is no /models. /new starts over"),
    ):
        conversation.type(command + "\n")
        conversation.wait_for(told)
        conversation.wait_for("> ")
    assert simulator.requests() == []
    conversation.type("/etc/hosts is what?\n")
    conversation.wait_for("> ")
    (request,) = simulator.requests()
    body = json.loads(request["body"])
    assert (body["model"], body["messages"][-1]["content"]) == ("other", "/etc/hosts is what?")


def test_a_list_of_models_that_cannot_be_had_does_not_end_the_conversation() -> None:
    started = Conversation("http://127.0.0.1:9")
    try:
        started.wait_for("> ")
        started.type("/model\n")
        started.wait_for("Cannot connect to http://127.0.0.1:9")
        started.wait_for("> ")
    finally:
        started.close()


def test_ctrl_c_in_a_conversation_stops_the_answer_and_asks_again(
    conversation: Conversation, simulator: Simulator
) -> None:
    conversation.type(sim(tokens=["stopped ", *["here "] * 500], interval=0.05) + "\n")
    conversation.wait_for("stopped here")
    conversation.interrupt()
    conversation.wait_for("Stopped.")
    conversation.wait_for("> ")
    simulator.wait_for(ended="client_gone")
    conversation.type(sim(tokens=["second answer"]) + "\n")
    conversation.wait_for("second answer")
    conversation.wait_for("> ")
    conversation.type("/exit\n")
    assert conversation.end() == FINISHED
    assert json.loads(simulator.requests()[1]["body"])["messages"][1]["content"].startswith("stopped here")
