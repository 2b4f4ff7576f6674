"""The command line, read once."""

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from client.failures import FAILED, USAGE
from client.options import DEFAULT_URL, read_options
from tests.harness.cells import cells

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STREAM_URL", "STREAM_KEY"):
        monkeypatch.delenv(name, raising=False)


def test_without_options_the_service_on_this_machine_is_asked_for_server_sent_events() -> None:
    options = read_options(["hi"])
    assert (options.question, options.url, options.key, options.wire_format) == ("hi", DEFAULT_URL, "", "sse")
    assert read_options([]).question is None


def test_address_and_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_URL", "https://app.example.com/")
    monkeypatch.setenv("STREAM_KEY", "k")
    options = read_options(["hi"])
    assert (options.url, options.key) == ("https://app.example.com", "k")


def test_model_and_system_are_part_of_every_request() -> None:
    turn = [{"role": "user", "content": "hi"}]
    assert read_options(["hi"]).request(turn) == {"messages": turn}
    request = read_options(["hi", "--model", "m", "--system", "Be brief."]).request(turn)
    assert request == {"messages": [{"role": "system", "content": "Be brief."}, *turn], "model": "m"}


def test_words_without_quotes_are_one_question() -> None:
    assert read_options(["what", "is", "this?", "--format", "ndjson"]).question == "what is this?"


@cells("path", ["", "/", "/chat", "/chat/", "/chat/stream", "/stream"])
@cells("base", ["http://127.0.0.1:7071", "https://gateway.example/chatbot"])
def test_an_address_that_was_copied_from_a_curl_line_is_its_base(base: str, path: str) -> None:
    assert read_options(["hi", "--url", base + path]).url == base


def test_the_command_that_was_installed_is_called_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["/home/me/.local/bin/stream-chat"])
    with pytest.raises(SystemExit):
        read_options(["--help"])
    shown = capsys.readouterr().out
    assert "usage: stream-chat" in shown
    assert 'git diff | stream-chat "review this"' in shown


def test_what_is_installed_is_the_client_with_what_it_is_tested_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = (ROOT / "client/requirements.in").read_text().splitlines()
    pinned = [line for line in listed if not line.startswith(("#", "-c "))]
    assert project["dependencies"] == pinned
    ((name, place),) = project["scripts"].items()
    module, _, function = place.partition(":")
    assert name == "stream-chat"
    assert callable(getattr(importlib.import_module(module), function))
    del sys.modules[module]  # which another test runs as a program


def test_without_its_packages_the_client_says_which_is_missing_and_what_installs_it() -> None:
    without_packages = [sys.executable, "-S", "-m", "client", "hi"]
    done = subprocess.run(without_packages, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == FAILED
    assert done.stderr == (
        "The package httpx is missing: `make client` installs it, or pip install -r client/requirements.txt\n"
    )


def test_no_stream_is_the_json_format() -> None:
    assert read_options(["hi", "--no-stream"]).wire_format == "json"
    assert read_options(["hi", "--format", "ndjson"]).wire_format == "ndjson"


@pytest.mark.parametrize(
    "arguments",
    [
        ["hi", "--url", "127.0.0.1"],
        ["hi", "--url", "http://"],
        ["hi", "--url", "http://127.0.0.1:0"],
        ["hi", "--url", "http://127.0.0.1:99999"],
        ["hi", "--url", "http://[::1"],
        ["hi", "--key", "Schlüssel"],
        ["hi", "--no-stream", "--format", "ndjson"],
        [" "],
    ],
)
def test_what_makes_no_sense_ends_the_program_with_its_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options(arguments)
    assert ended.value.code == USAGE
    assert "usage: python -m client" in capsys.readouterr().err
