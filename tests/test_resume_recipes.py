"""Each file of docs/resume.md, and the terminal client, while their connection breaks (ResumedChat.tsx: tests/node)."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.simulator.control import Simulator
from tests.app_process import ROOT, App
from tests.cutting_proxy import CuttingProxy
from tests.recipes import LOCAL, kinds, recipes, run

DOCUMENT = "docs/resume.md"
RECIPES = recipes(DOCUMENT)
RUNNABLE = ["resume.sh", "resumed.mjs", "openai_resume.py", "openai-resume.mjs"]
RUN_ELSEWHERE = ["resume.mjs", "ResumedChat.tsx"]
"""One is imported by resumed.mjs, the other is used in tests/node/resume-react.test.mjs."""
WORDS = [f"wörd{number} " for number in range(12)]


@pytest.fixture(scope="module")
def resuming(simulator_process: Simulator) -> Iterator[App]:
    """An app whose answers can be taken up again."""
    with App.start(simulator_process, RESUME="on", AZURE_OPENAI_API="responses") as app:
        yield app


def test_every_file_of_the_document_is_run() -> None:
    assert sorted(RECIPES) == sorted(RUNNABLE + RUN_ELSEWHERE)
    text = (ROOT / DOCUMENT).read_text("utf-8")
    assert len(re.findall(r"^```\w", text, re.MULTILINE)) == len(RECIPES)
    assert all(LOCAL in RECIPES[name] for name in RUNNABLE)


@pytest.mark.parametrize("name", kinds(RUNNABLE))
def test_a_recipe_shows_every_word_once_although_its_connection_breaks(
    name: str, resuming: App, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.behave({"tokens": WORDS, "interval": 0.05})
    cuts = 0 if name == "resume.sh" else 1  # that one leaves by itself
    with CuttingProxy(resuming.url, "wörd3 ".encode(), cuts) as proxy:
        done = run(name, RECIPES, proxy.url, tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == "".join(WORDS)
        assert (proxy.cuts, proxy.answers >= 2) == (0, True)


def terminal(url: str, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "client", "--url", url, *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_the_terminal_client_comes_back_by_itself(resuming: App, simulator: Simulator) -> None:
    simulator.behave({"tokens": WORDS, "interval": 0.05})
    with CuttingProxy(resuming.url, "wörd3 ".encode()) as proxy, terminal(proxy.url, "hello") as client:
        said, told = client.communicate(timeout=30)
        assert (client.returncode, said, told) == (0, "".join(WORDS) + "\n", "Reconnecting\n")
        assert proxy.cuts == 0


def test_ctrl_c_in_the_terminal_stops_the_answer_at_the_model(resuming: App, simulator: Simulator) -> None:
    simulator.behave({"tokens": WORDS * 40, "interval": 0.05})
    with terminal(resuming.url, "--json", "hello") as client:
        assert client.stdout is not None
        assert any('"delta"' in line for line in iter(client.stdout.readline, ""))
        client.send_signal(signal.SIGINT)
        assert simulator.wait_for(path="/cancel", ended="complete", timeout=10)["status"] == 200
        assert client.wait(10) == 130


def test_openais_client_goes_on_at_another_instance_when_its_own_is_stopped(
    resuming: App, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.behave({"tokens": WORDS * 5, "interval": 0.1})
    with App.start(simulator) as stopped, CuttingProxy(stopped.url, b"nothing", 0) as proxy:
        (tmp_path / "recipe.py").write_text(RECIPES["openai_resume.py"].replace(LOCAL, proxy.url), "utf-8")
        command = [sys.executable, "recipe.py"]
        # Unbuffered: what a buffer here had read ahead, `communicate` would not find.
        with subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        ) as client:
            assert client.stdout is not None
            begun = client.stdout.read(1)
            proxy.move(resuming.url)
            stopped.drain()
            said, told = client.communicate(timeout=30)
        assert (client.returncode, (begun + said).decode(), told) == (0, "".join(WORDS * 5), b"")
        assert stopped.receipts(api="openai")[-1]["ended"] == "server_stopping"


@pytest.mark.node
def test_after_kill_9_openais_client_for_node_goes_on_at_another_instance(
    resuming: App, simulator: Simulator, tmp_path: Path
) -> None:
    """Python's: tests/worker/test_resume.py."""
    simulator.behave({"tokens": WORDS, "interval": 0.1})

    def kill(proxy: CuttingProxy) -> None:
        proxy.move(resuming.url)
        killed.kill_worker()

    with App.start(simulator) as killed, CuttingProxy(killed.url, "wörd3 ".encode(), instead=kill) as proxy:
        done = run("openai-resume.mjs", RECIPES, proxy.url, tmp_path)
        assert (done.returncode, done.stderr, done.stdout) == (0, "", "".join(WORDS))
        assert (proxy.cuts, proxy.answers) == (0, 2)
        assert "SIGKILL" in killed.log
