"""The README's own commands, run as a newcomer runs them, and its tables, held against the code."""

import datetime as dt
import inspect
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest

from dev import environment
from dev.free_port import free_port
from shared.chat import exchange
from shared.chat.encoders import FORMATS
from shared.chat.json_text import JsonText
from shared.chat.request import ChatRequest, Message, TextPart
from tests.harness.cells import cells

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


FIND_NO_MORE = """
import os, sys
from importlib.machinery import PathFinder

with open(os.environ["NOT_INSTALLED"], encoding="utf-8") as listed:
    not_installed = frozenset(listed.read().splitlines())


class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = super().find_spec(name, path, target)
        return None if found is not None and found.origin in not_installed else found


sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""


def of_a_clean_clone(folder: Path) -> dict[str, str]:
    """Return the variables of a Python that finds none of the installed packages but those of `make run`."""
    whole, run = (environment.missing(folder, ROOT / f"dev/requirements-{name}.txt") for name in ("test", "run"))
    left_out = [one for one in distributions() if one.name.lower().replace("_", "-") in whole - run]
    files = [
        str(one.locate_file(file)) for one in left_out for file in one.files or () if file.suffix in (".py", ".so")
    ]
    assert len(files) > 1000
    (folder / "not_installed").write_text("\n".join(files), encoding="utf-8")
    (folder / "sitecustomize.py").write_text(FIND_NO_MORE, encoding="utf-8")
    return {"PYTHONPATH": str(folder), "NOT_INSTALLED": str(folder / "not_installed")}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`make run` with the packages that it installs, ended by Ctrl-C; nothing may be left running."""
    if (ROOT / "local.settings.json").exists():
        pytest.skip("local.settings.json would be used instead of the simulated Azure OpenAI")
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    subprocess.run(["make", ".venv/.ready-run"], cwd=ROOT, env=env, capture_output=True, check=True)
    process = subprocess.Popen(
        ["make", "run", f"PORT={port}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env=env | of_a_clean_clone(tmp_path_factory.mktemp("clean")),
    )
    assert process.stdout is not None
    ports = [port]
    for line in process.stdout:
        if found := re.match(r"Simulated Azure OpenAI at http://127.0.0.1:(\d+) ", line):
            ports.append(int(found[1]))
        if line.startswith("Listening on "):
            break
    assert len(ports) == 2, "the line about the simulated service did not come first"
    yield f"http://127.0.0.1:{port}"
    os.killpg(process.pid, signal.SIGINT)
    process.wait(15)
    process.stdout.close()
    deadline = time.monotonic() + 5
    while (left := [one for one in ports if listening(one)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left, "Ctrl-C left something running"


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_first_screens_curl_prints_what_it_shows(running: str) -> None:
    command = re.search(r"^\$ (curl .*)$", README, re.MULTILINE)
    assert command is not None
    line = command[1].replace("http://127.0.0.1:7071", running)
    printed = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, check=True).stdout
    names = re.findall(r"^event: (\w+)$", printed, re.MULTILINE)
    assert names[0] == "step"
    assert names.count("delta") > 3
    assert names[-2:] == ["usage", "finished"]
    shown = re.findall(r"^event: (\w+)$", README, re.MULTILINE)
    assert shown == ["step", "delta", "usage", "finished"]
    for line in re.findall(r"^data: .*$", README, re.MULTILINE):
        assert line in printed.splitlines(), line


def test_the_terminal_clients_line_prints_an_answer(running: str) -> None:
    command = re.search(r"In the terminal: `make client`, or `make (client .*?)`", README)
    assert command is not None
    line = ["make", "-o", ".venv/.ready-client", *shlex.split(command[1])]  # what it needs is here
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    env |= {"STREAM_URL": running}
    printed = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=True).stdout
    assert "simulated model" in printed


def test_the_lines_for_core_tools_lead_to_the_projects_python_and_its_settings(tmp_path: Path) -> None:
    """In a copy of the clone's files and with an environment that is made, with a program in the place of `func`."""
    block = re.search(r"^### With Core Tools\n.*?```console\n(.*?)```", README, re.DOTALL | re.MULTILINE)
    assert block is not None
    lines = re.findall(r"^\$ (.*)$", block[1], re.MULTILINE)
    assert lines[-1] == "func start"
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    (tmp_path / "clone/dev").mkdir(parents=True)
    for name in listed:
        if (tmp_path / "clone" / name).parent.is_dir() and (ROOT / name).is_file():
            shutil.copyfile(ROOT / name, tmp_path / "clone" / name)
            os.utime(tmp_path / "clone" / name, (0, 0))  # older than the environment: nothing is to be installed
    (tmp_path / "clone/.venv").symlink_to(ROOT / ".venv")
    programs = {"func": "exec python3 -c 'import sys; print(sys.prefix)'", "python3": "exit 1", "python": "exit 1"}
    (tmp_path / "bin").mkdir()
    for name, line in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "VIRTUAL_ENV")}
    env["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{env['PATH']}"
    command = ["bash", "-euc", "\n".join(lines)]
    done = subprocess.run(
        command, cwd=tmp_path / "clone", env=env, capture_output=True, text=True, timeout=60, check=True
    )
    assert Path(done.stdout.splitlines()[-1]).resolve() == (ROOT / ".venv").resolve()
    assert (
        json.loads((tmp_path / "clone/local.settings.json").read_text())["Values"]["FUNCTIONS_WORKER_RUNTIME"]
        == "python"
    )


def test_every_format_has_its_row() -> None:
    formats = (ROOT / "docs/chat-api.md").read_text().partition("## Formats")[2].partition("\n## ")[0]
    assert set(re.findall(r"\| `([a-z-]+)` \|", formats)) >= {
        name for name, found in FORMATS.items() if found.media_types
    }


def test_the_smallest_change_of_ones_own_does_what_it_says() -> None:
    (block,) = re.findall(r"```python\n(        .*?)```", README, re.DOTALL)
    assert "ChatExchange._completed" in README
    assert "    def _completed(self, request: ChatRequest)" in inspect.getsource(exchange)
    known = {
        **vars(exchange),
        "datetime": dt,
        "request": ChatRequest(messages=(Message("user", (TextPart.of("hi"),)),)),
    }
    exec(textwrap.dedent(block), known)
    today, asked = known["request"].messages
    assert (today.role, asked.text) == ("system", JsonText.of("hi"))
    assert bytes(today.text.literal).startswith(b'"Today is ')


def test_the_lines_for_a_client_are_those_of_a_program_that_is_run() -> None:
    blocks = re.findall(r"```python\n(\w.*?)```", README, re.DOTALL)
    programs = (ROOT / "docs/clients.md").read_text()
    assert len(blocks) == 1
    assert [line for line in blocks[0].splitlines() if line not in programs.splitlines()] == []


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) <= 150
    assert len(re.sub(r"[#`*]", "", README.partition("```console")[0]).split()) < 60


@cells("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"])
def test_links_between_documents_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    targets = [target for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in target]
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_architecture_stays_short_and_its_glossary_too() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text()
    terms = text.partition("## Glossary")[2].partition("\n## ")[0].count("\n| ") - 1
    assert len(text.splitlines()) <= 120
    assert 0 < terms <= 20
