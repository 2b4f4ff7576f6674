"""Every file of docs/clients.md, run as it stands there against the app on the real worker."""

import os
import re
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from tests.app_process import ROOT, App
from tests.clients.sides import MODEL
from tests.matrix.clients import CLIENTS
from tests.node.toolchain import HERE as NODE_TESTS
from tests.node.toolchain import MISSING, find_node

TEXT = (ROOT / "docs/clients.md").read_text("utf-8")
FENCE = re.compile(r"^```\w+ (?P<name>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
SETUPS = {name for client in CLIENTS for name in client.setup}
"""What `make test-clients` runs."""
FILES = {match["name"]: match["code"] for match in FENCE.finditer(TEXT) if match["name"] not in SETUPS}
PYTHON = [name for name in FILES if name.endswith(".py")]
NODE = [pytest.param(name, marks=pytest.mark.node) for name in FILES if name.endswith(".mjs")]
WORDS = "Grüße, Welt 😀"
ANSWER: dict[str, Any] = {"tokens": ["Grüße", ", ", "Welt 😀"]}
FAILURES: dict[str, dict[str, Any]] = {
    "breaks off": {"tokens": ["Grüße", ", ", "Welt"], "end": "eof", "after": 2},
    "is refused": {"status": 400, "error": "content_filter"},
}


@pytest.fixture
def environment(app: App, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the files read."""
    for name, value in {"ENDPOINT": app.url, "API_KEY": key, "MODEL": MODEL}.items():
        monkeypatch.setenv(name, value)


def run_python(name: str, folder: Path) -> None:
    (folder / name).write_text(FILES[name], "utf-8")
    runpy.run_path(str(folder / name), run_name="__main__")


def run(name: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Skips the test where what runs such a file is not on this machine."""
    (folder / name).write_text(FILES[name], "utf-8")
    if name.endswith(".mjs"):
        node = find_node()
        if node is None:
            pytest.skip(MISSING)
        node.install()
        (folder / "node_modules").symlink_to(NODE_TESTS / "node_modules")
        command = [node.node, name]
    else:
        bash = shutil.which("bash") if shutil.which("curl") else None
        if bash is None:
            pytest.skip("needs bash and curl")
        command = [bash, "-eo", "pipefail", name]
    return subprocess.run(
        command, cwd=folder, env=os.environ, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False
    )


def test_every_file_of_the_document_is_run() -> None:
    untested = re.findall(r"^```(?!sh\n)\w+\n", TEXT, re.MULTILINE)
    assert untested == []
    assert len(PYTHON) + len(NODE) + len(["chat.sh"]) == len(FILES)
    assert all("ENDPOINT" in code for code in FILES.values())


@pytest.mark.parametrize("name", PYTHON)
def test_a_python_file_shows_the_answer(
    name: str, environment: None, upstream: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    upstream.behave(main=ANSWER)
    run_python(name, tmp_path)
    assert capsys.readouterr().out == WORDS + "\n"


@pytest.mark.parametrize("name", PYTHON)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_python_file_takes_a_failure_for_one(
    name: str, failure: str, environment: None, upstream: Simulator, tmp_path: Path
) -> None:
    upstream.behave(main=FAILURES[failure])
    with pytest.raises(openai.APIError):
        run_python(name, tmp_path)


@pytest.mark.parametrize("name", NODE)
def test_a_node_file_shows_the_answer(name: str, environment: None, upstream: Simulator, tmp_path: Path) -> None:
    upstream.behave(main=ANSWER)
    done = run(name, tmp_path)
    assert (done.returncode, done.stdout) == (0, WORDS), done.stderr


@pytest.mark.parametrize("name", NODE)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_node_file_takes_a_failure_for_one(
    name: str, failure: str, environment: None, upstream: Simulator, tmp_path: Path
) -> None:
    upstream.behave(main=FAILURES[failure])
    done = run(name, tmp_path)
    assert done.returncode == 1
    assert ("upstream_cut" if failure == "breaks off" else "content_filter") in done.stderr


def test_curl_shows_the_answer_and_tells_how_it_ends(environment: None, upstream: Simulator, tmp_path: Path) -> None:
    ends = {}
    for name, behaviour in {"is whole": ANSWER, **FAILURES}.items():
        upstream.behave(main=behaviour)
        done = run("chat.sh", tmp_path)
        ends[name] = done.returncode, "data: [DONE]" in done.stdout, "error" in done.stdout
        if name == "is whole":
            assert "".join(re.findall(r'"content":"(.*?)"', done.stdout)) == WORDS
    assert ends == {
        "is whole": (0, True, False),
        "breaks off": (56, False, True),  # the host cuts with a reset
        "is refused": (22, False, True),
    }
