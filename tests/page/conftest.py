"""A browser for the tests of the page. Without one they are skipped, and say what to install."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright

from tests.app_process import App
from tests.page.chat_page import ChatPage

OpenPage = Callable[..., ChatPage]
DESKTOP: ViewportSize = {"width": 1200, "height": 800}


# NOTE: not for the whole session. Playwright's loop runs as long as this fixture lives, and no other test could run its own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one that CHROMIUM names."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("the page's tests need a browser: apt-get install chromium (or name one in CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, app: App) -> Iterator[OpenPage]:
    """Opens the page in a new browser profile; settings are Playwright's, `url` another app's."""
    opened: list[ChatPage] = []

    def open_page(*, url: str | None = None, **settings: Any) -> ChatPage:
        context = browser.new_context(**{"viewport": DESKTOP, **settings})
        page = ChatPage(context.new_page(), url or app.url)
        opened.append(page)
        return page.open()

    yield open_page
    problems = [problem for page in opened for problem in page.problems]
    for page in opened:
        page.page.context.close()
    assert problems == []


@pytest.fixture(scope="package")
def profile(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile that has the page's files already; nothing else of a tab outlives it there."""
    context = browser.new_context(viewport=DESKTOP)
    yield context
    context.close()


@pytest.fixture
def page(profile: BrowserContext, app: App) -> Iterator[ChatPage]:
    """The page on a desktop, in light."""
    page = ChatPage(profile.new_page(), app.url)
    yield page.open()
    page.page.close()
    assert page.problems == []
