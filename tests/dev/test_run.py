"""`make run`'s program: what it hands to the host that it starts."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.functions_host.settings import EXAMPLE_FILE, SETTINGS_FILE
from tests.dev.host_process import eventually, gone

ROOT = Path(__file__).resolve().parents[2]
FUNC = """#!/bin/sh
exec python3 -c 'import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ), sys.prefix]))' "$@"
"""
"""Runs the first `python3` on the PATH, as Core Tools do (`GetEnvironmentPythonVersion` in PythonHelpers.cs)."""
OTHER_PYTHON = """#!/bin/sh
echo "$0 is not the project's Python" >&2
exit 1
"""
SHELL = {
    "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com",
    "AZURE_OPENAI_API_KEY": "a-key-of-another-tool",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "AZURE_OPENAI_DEPLOYMENT": "mine",
}


@pytest.fixture
def printed(tmp_path: Path) -> str:
    """What `HOST=func` prints where Core Tools are a program that prints how it was called."""
    if (ROOT / SETTINGS_FILE).exists():
        pytest.skip(f"{SETTINGS_FILE} would be used instead of the simulated Azure OpenAI")
    for name, text in (("func", FUNC), ("python3", OTHER_PYTHON), ("python", OTHER_PYTHON)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "dev.run", "--host", "func", "--port", "7099"],
        cwd=ROOT,
        env=os.environ | SHELL | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


STUBBORN_FUNC = """#!/bin/sh
exec python3 -c '
import os, signal, subprocess, sys, time
worker = subprocess.Popen(["sleep", "60"])
signal.signal(signal.SIGINT, lambda *_: print("func: SIGINT", flush=True))
signal.signal(signal.SIGTERM, lambda *_: (print("func: SIGTERM", flush=True), worker.kill(), os._exit(0)))
print("ready", os.getpid(), worker.pid, flush=True)
time.sleep(60)
' "$@"
"""
"""Goes on after SIGINT, as Core Tools do while a stream is open."""


@pytest.fixture
def func(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """`HOST=func` with a `func` that goes on after SIGINT; and the ids of its process and of its worker's."""
    if (ROOT / SETTINGS_FILE).exists():
        pytest.skip(f"{SETTINGS_FILE} would be used instead of the simulated Azure OpenAI")
    (tmp_path / "func").write_text(STUBBORN_FUNC)
    (tmp_path / "func").chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "dev.run", "--host", "func"],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    ready = next(line for line in process.stdout if line.startswith("ready"))
    pids = [int(one) for one in ready.split()[1:]]
    with process:
        yield process, pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_second_interrupt_ends_func_and_its_worker(func: tuple[subprocess.Popen[str], list[int]]) -> None:
    process, pids = func
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    lines = {process.stdout.readline(), process.stdout.readline()}
    assert lines == {
        "func: SIGINT\n",
        "Stopping: an open stream holds func for up to 30 s; Ctrl-C again ends it\n",
    }
    assert not any(map(gone, pids))
    process.send_signal(signal.SIGINT)
    process.wait(15)
    eventually(lambda: all(map(gone, pids)))


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_terminates_func(
    func: tuple[subprocess.Popen[str], list[int]], number: signal.Signals
) -> None:
    process, pids = func
    assert process.stdout is not None
    process.send_signal(number)
    assert process.stdout.readline() == "func: SIGTERM\n"
    assert process.wait(15) == 0
    eventually(lambda: all(map(gone, pids)))


def test_the_simulated_service_takes_the_place_of_what_the_shell_names(printed: str) -> None:
    _, env, _ = json.loads(printed.splitlines()[-1])
    assert env["AZURE_OPENAI_ENDPOINT"] in printed.splitlines()[0]
    assert env["AZURE_OPENAI_ENDPOINT"].startswith("http://127.0.0.1:")
    assert env["IDENTITY_ENDPOINT"].startswith("http://127.0.0.1:")
    assert (env["AZURE_OPENAI_API_KEY"], env["OPENAI_BASE_URL"]) == ("", "")
    assert env["DEBUG_HEADERS"] == "true"  # so that `make smoke` sees the patches
    assert "AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY, OPENAI_BASE_URL" in printed
    assert "a-key-of-another-tool" not in printed


def test_core_tools_get_the_examples_values_which_they_do_not_read(printed: str) -> None:
    arguments, env, _ = json.loads(printed.splitlines()[-1])
    assert arguments == ["start", "--port", "7099"]
    example = json.loads((ROOT / EXAMPLE_FILE).read_text())["Values"]
    for name in ("FUNCTIONS_WORKER_RUNTIME", "AzureWebJobsDisableHomepage", "COMMIT_SECONDS"):
        assert env[name] == example[name]
    assert env["AZURE_OPENAI_DEPLOYMENT"] == "mine"


def test_core_tools_find_the_projects_python_first_although_the_shells_is_another(printed: str) -> None:
    _, _, prefix = json.loads(printed.splitlines()[-1])
    assert prefix == sys.prefix
