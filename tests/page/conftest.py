"""A browser for the tests of the page. Without one the tests are skipped with a message that names the package to install."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, sync_playwright

from tests.app_process import App
from tests.page.chat_page import ChatPage, find_browser

OpenPage = Callable[..., ChatPage]
DESKTOP: ViewportSize = {"width": 1200, "height": 800}


# NOTE: not session-scoped: Playwright's loop runs as long as this fixture lives, and other tests could not run their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the browser that is installed, or the one named by CHROMIUM."""
    path = find_browser()
    if path is None:
        pytest.skip("the page's tests need a browser: apt-get install chromium (or name one in CHROMIUM)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, app: App) -> Iterator[OpenPage]:
    """Return a function that opens the page in a new browser profile, with Playwright's settings or another app's `url`."""
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
    """Create a browser profile that caches the page's files; nothing else of a tab persists in it."""
    context = browser.new_context(viewport=DESKTOP)
    yield context
    context.close()


@pytest.fixture
def page(profile: BrowserContext, app: App) -> Iterator[ChatPage]:
    """Open the page in a desktop window with the light theme."""
    page = ChatPage(profile.new_page(), app.url)
    yield page.open()
    page.page.close()
    assert page.problems == []
