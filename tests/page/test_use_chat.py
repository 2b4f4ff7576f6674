"""`useChat` in a browser, as docs/resume.md has it: its connection breaks, its tab is reloaded, and the message is whole."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.cutting_proxy import CuttingProxy
from tests.node.toolchain import HERE as NODE_TESTS
from tests.node.toolchain import MISSING, find_node
from tests.page.conftest import Profile
from tests.recipes import LOCAL, recipes

pytestmark = [pytest.mark.browser, pytest.mark.node]

WORDS = [f"wörd{number} " for number in range(16)]
MOUNT = """
import { createRoot } from "react-dom/client";
import { ResumedChat } from "./ResumedChat.tsx";
createRoot(document.body.appendChild(document.createElement("div"))).render(<ResumedChat id="chat" />);
"""
BUILD = (
    "--bundle",
    "--format=iife",
    "--jsx=automatic",
    '--define:process.env.NODE_ENV="production"',
    "--log-level=error",
)


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The recipe and what mounts it, for an address that is filled in where it is served."""
    node = find_node()
    if node is None:
        pytest.skip(MISSING)
    node.install()
    folder = tmp_path_factory.mktemp("use-chat")
    (folder / "node_modules").symlink_to(NODE_TESTS / "node_modules")
    (folder / "ResumedChat.tsx").write_text(recipes("docs/resume.md")["ResumedChat.tsx"], "utf-8")
    (folder / "mount.tsx").write_text(MOUNT, "utf-8")
    command = [node.node, "node_modules/esbuild/bin/esbuild", "mount.tsx", *BUILD, "--outfile=chat.js"]
    done = subprocess.run(
        command, cwd=folder, env=node.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return Path(folder / "chat.js").read_text("utf-8")


def open_chat(profile: Profile, url: str, script: str) -> Page:
    """Open a page of the app's own origin that is nothing but the recipe."""
    page = profile.new_page()
    page.set_default_timeout(15000)
    headers = {"content-type": "text/html; charset=utf-8"}
    page.route(
        "**/use-chat", lambda route: route.fulfill(body='<body><script src="/chat.js"></script>', headers=headers)
    )
    code = script.replace(LOCAL, url)
    page.route("**/chat.js", lambda route: route.fulfill(body=code, content_type="text/javascript; charset=utf-8"))
    page.goto(f"{url}/use-chat")
    return page


def said(page: Page) -> str:
    (answer,) = page.locator('article[aria-label="assistant"]').all_text_contents()
    return answer


def wait_for_end(page: Page) -> None:
    page.locator('article[aria-label="assistant"]', has_text=WORDS[-1].strip()).wait_for()
    page.locator('main[data-status="ready"]').wait_for()


def test_a_reload_in_mid_answer_shows_it_whole_and_once(
    profile: Profile, resuming: App, simulator: Simulator, script: str
) -> None:
    simulator.behave({"tokens": WORDS, "interval": 0.15})
    page = open_chat(profile, resuming.url, script)
    page.get_by_role("button", name="Ask").click()
    page.locator("article", has_text="wörd3").wait_for()
    page.reload()
    wait_for_end(page)
    assert said(page) == "".join(WORDS)
    assert len(simulator.requests(method="POST")) == 1
    page.close()


def test_a_connection_that_breaks_is_an_error_that_goes_on_at_a_click(
    profile: Profile, resuming: App, simulator: Simulator, script: str
) -> None:
    simulator.behave({"tokens": WORDS, "interval": 0.15})
    with CuttingProxy(resuming.url, "wörd3 ".encode()) as proxy:
        page = open_chat(profile, proxy.url, script)
        page.get_by_role("button", name="Ask").click()
        page.get_by_role("button", name="Go on").click()
        wait_for_end(page)
        assert said(page) == "".join(WORDS)
        assert proxy.cuts == 0
        page.close()


def test_after_kill_9_another_process_goes_on_at_a_click(
    profile: Profile, resuming: App, simulator: Simulator, script: str
) -> None:
    simulator.behave({"tokens": WORDS, "interval": 0.15})

    def kill(proxy: CuttingProxy) -> None:
        proxy.move(resuming.url)
        killed.kill_worker()

    with (
        App.start(simulator, RESUME="on", AZURE_OPENAI_API="responses") as killed,
        CuttingProxy(killed.url, "wörd3 ".encode(), instead=kill) as proxy,
    ):
        page = open_chat(profile, proxy.url, script)
        page.get_by_role("button", name="Ask").click()
        page.get_by_role("button", name="Go on").click()
        wait_for_end(page)
        assert said(page) == "".join(WORDS)
        assert "SIGKILL" in killed.log
        page.close()
