"""Every file of docs/recipes.md, run unchanged against the app on the real worker (Chat.tsx: tests/node)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.simulator.control import Simulator
from tests.app_process import ROOT, App
from tests.node.toolchain import HERE as NODE_TESTS
from tests.node.toolchain import MISSING, find_node

FENCE = re.compile(r"^```(?P<language>\w+) (?P<name>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = {match["name"]: match["code"] for match in FENCE.finditer((ROOT / "docs/recipes.md").read_text("utf-8"))}
LOCAL = "http://127.0.0.1:7071"
WORDS = "Grüße, Welt 😀"
ANSWER = {"tokens": ["Grüße", ", ", "Welt 😀"]}
BROKEN = {"tokens": ["Grüße", ", ", "Welt"], "end": "cut", "after": 2}
RUNNABLE = ["stream.sh", "words.sh", "json.sh", "lines.py", "events.py", "answer.mjs", "protocol.mjs", "events.mjs"]
RUN_ELSEWHERE = ["ask.mjs", "Chat.tsx"]
"""One is imported by answer.mjs, the other is used in tests/node/react.test.mjs."""


def command(name: str) -> list[str]:
    """Return the command for this type of file. Skip the test if it is not installed."""
    if name.endswith(".py"):
        return [sys.executable]
    if name.endswith(".mjs"):
        node = find_node()
        if node is None:
            pytest.skip(MISSING)
        node.install()
        return [node.node]
    bash = shutil.which("bash") if shutil.which("curl") else None
    if bash is None:
        pytest.skip("needs bash and curl")
    return [bash, "-e"]


def run(name: str, app: App, folder: Path) -> "subprocess.CompletedProcess[str]":
    runner = command(name)
    for file, code in RECIPES.items():
        (folder / file).write_text(code.replace(LOCAL, app.url), "utf-8")
    if name.endswith(".mjs"):
        (folder / "node_modules").symlink_to(NODE_TESTS / "node_modules")
    env = {**os.environ, "STREAM_KEY": "unused", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [*runner, name], cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False
    )


def kinds(names: list[str]) -> list[object]:
    return [pytest.param(name, marks=pytest.mark.node) if name.endswith(".mjs") else name for name in names]


def test_every_file_of_the_document_is_run() -> None:
    assert sorted(RECIPES) == sorted(RUNNABLE + RUN_ELSEWHERE)
    text = (ROOT / "docs/recipes.md").read_text("utf-8")
    assert len(re.findall(r"^```\w", text, re.MULTILINE)) == len(RECIPES)
    assert all(LOCAL in RECIPES[name] for name in RUNNABLE)


@pytest.mark.parametrize("name", kinds(RUNNABLE))
def test_a_recipe_shows_the_answer(name: str, app: App, simulator: Simulator, tmp_path: Path) -> None:
    simulator.behave(ANSWER)
    done = run(name, app, tmp_path)
    assert done.returncode == 0, done.stderr
    words = "".join(re.findall(r'"type":"delta","text":"(.*?)"', done.stdout)) if name == "stream.sh" else done.stdout
    assert WORDS in words


@pytest.mark.parametrize("name", kinds([name for name in RUNNABLE if name != "stream.sh"]))
def test_a_recipe_fails_on_an_answer_that_is_cut_off(name: str, app: App, simulator: Simulator, tmp_path: Path) -> None:
    simulator.behave(BROKEN)
    done = run(name, app, tmp_path)
    assert done.returncode != 0
    if not name.endswith(".sh"):
        assert "The connection to the model broke off" in done.stderr


@pytest.mark.parametrize("name", kinds([name for name in RUNNABLE if not name.endswith(("stream.sh", "words.sh"))]))
def test_a_recipe_fails_on_an_error_response(name: str, app: App, simulator: Simulator, tmp_path: Path) -> None:
    simulator.behave({"status": 400, "error": "content_filter"})
    done = run(name, app, tmp_path)
    assert done.returncode == (22 if name == "json.sh" else 1)
    assert "content management policy" in done.stderr + done.stdout or "content_filter" in done.stderr + done.stdout
