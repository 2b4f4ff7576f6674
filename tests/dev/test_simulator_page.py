"""docs/simulator.md: every prompt has the outcome that stands next to it."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from dev.simulator.behaviour import from_prompt
from tests.app_process import App

TEXT = (Path(__file__).resolve().parents[2] / "docs/simulator.md").read_text("utf-8")
ROWS = re.findall(r"^\| ([^|]*) \| `(hi \[\[sim .*?\]\])` \| (\d+) (.*?) \|$", TEXT, re.MULTILINE)
PROMPTS = {when: prompt.replace("\\|", "|") for when, prompt, *_ in ROWS}
OUTCOMES = {when: (int(status), re.findall(r"`(\w+)`", words)) for when, _, status, words in ROWS}


def ask(url: str, prompt: str) -> tuple[int, list[str], str]:
    """The status, what it ended with, and the text."""
    response = httpx.post(f"{url}/chat", json={"input": prompt}, timeout=60)
    if response.status_code != 200:
        return response.status_code, [response.json()["error"]["code"]], ""
    events: list[dict[str, Any]] = [
        json.loads(data) for data in re.findall(r"^data: (.*)$", response.text, re.MULTILINE)
    ]
    text = "".join(event["text"] for event in events if event["type"] == "delta")
    last = events[-1]
    return 200, [last["type"], last["error"]["code"] if last["type"] == "failed" else last["finish_reason"]], text


@pytest.fixture(scope="module")
def found(app_process: App) -> dict[str, tuple[int, list[str], str]]:
    """All outcomes. Asked side by side: most of their time is waiting."""
    with ThreadPoolExecutor(len(PROMPTS)) as pool:
        return dict(zip(PROMPTS, pool.map(lambda prompt: ask(app_process.url, prompt), PROMPTS.values()), strict=True))


def test_every_row_of_the_table_is_one_of_them() -> None:
    assert len(ROWS) == len(re.findall(r"^\| .*`hi ", TEXT, re.MULTILINE)) > 20


@pytest.mark.parametrize("when", PROMPTS)
def test_a_prompt_has_its_outcome(when: str, found: dict[str, tuple[int, list[str], str]]) -> None:
    status, words, _ = found[when]
    assert (status, words) == OUTCOMES[when]


def test_the_words_of_an_exact_answer_arrive(found: dict[str, tuple[int, list[str], str]]) -> None:
    exact = {when: prompt for when, prompt in PROMPTS.items() if '"text"' in prompt}
    assert len(exact) == 2
    for when, prompt in exact.items():
        behaviour = from_prompt(prompt, "main")
        assert behaviour is not None
        assert found[when][2] == behaviour.text
