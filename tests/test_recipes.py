"""Every file of docs/recipes.md, run unchanged against the app on the real worker (Chat.tsx: tests/node)."""

import re
from pathlib import Path

import pytest

from dev.simulator.control import Simulator
from tests.app_process import ROOT, App
from tests.recipes import LOCAL, kinds, recipes, run

RECIPES = recipes("docs/recipes.md")
WORDS = "Grüße, Welt 😀"
ANSWER = {"tokens": ["Grüße", ", ", "Welt 😀"]}
BROKEN = {"tokens": ["Grüße", ", ", "Welt"], "end": "cut", "after": 2}
RUNNABLE = ["stream.sh", "words.sh", "json.sh", "lines.py", "events.py", "answer.mjs", "protocol.mjs", "events.mjs"]
RUN_ELSEWHERE = ["ask.mjs", "Chat.tsx"]
"""One is imported by answer.mjs, the other is used in tests/node/react.test.mjs."""


def test_every_file_of_the_document_is_run() -> None:
    assert sorted(RECIPES) == sorted(RUNNABLE + RUN_ELSEWHERE)
    text = (ROOT / "docs/recipes.md").read_text("utf-8")
    assert len(re.findall(r"^```\w", text, re.MULTILINE)) == len(RECIPES)
    assert all(LOCAL in RECIPES[name] for name in RUNNABLE)


@pytest.mark.parametrize("name", kinds(RUNNABLE))
def test_a_recipe_shows_the_answer(name: str, app: App, simulator: Simulator, tmp_path: Path) -> None:
    simulator.behave(ANSWER)
    done = run(name, RECIPES, app.url, tmp_path)
    assert done.returncode == 0, done.stderr
    words = "".join(re.findall(r'"type":"delta","text":"(.*?)"', done.stdout)) if name == "stream.sh" else done.stdout
    assert WORDS in words


@pytest.mark.parametrize("name", kinds([name for name in RUNNABLE if name != "stream.sh"]))
def test_a_recipe_fails_on_an_answer_that_is_cut_off(name: str, app: App, simulator: Simulator, tmp_path: Path) -> None:
    simulator.behave(BROKEN)
    done = run(name, RECIPES, app.url, tmp_path)
    assert done.returncode != 0
    if not name.endswith(".sh"):
        assert "The connection to the model broke off" in done.stderr


@pytest.mark.parametrize("name", kinds([name for name in RUNNABLE if not name.endswith(("stream.sh", "words.sh"))]))
def test_a_recipe_fails_on_an_error_response(name: str, app: App, simulator: Simulator, tmp_path: Path) -> None:
    simulator.behave({"status": 400, "error": "content_filter"})
    done = run(name, RECIPES, app.url, tmp_path)
    assert done.returncode == (22 if name == "json.sh" else 1)
    assert "content management policy" in done.stderr + done.stdout or "content_filter" in done.stderr + done.stdout
