"""A browser for the tests of the page. Without one the tests are skipped with a message that names the package to install."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, ViewportSize, sync_playwright

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.page.chat_page import DESKTOP, FLAGS, ChatPage, find_browser

OpenPage = Callable[..., ChatPage]


def require_browser() -> str:
    """Return the browser's path, or skip the test."""
    path = find_browser()
    if path is None:
        pytest.skip("the page's tests need a browser: apt-get install chromium (or name one in CHROMIUM)")
    return path


# NOTE: not session-scoped: Playwright's loop runs as long as this fixture lives, and other tests could not run their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the browser that is installed, or the one named by CHROMIUM."""
    path = require_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield browser
        browser.close()


class Profile:
    """One browser profile, whose tabs share a process, its cache, and the right to use the clipboard."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self._context = context
        self._url = url
        self._anchor = context.new_page()  # keeps the process alive while no other tab is open
        self._anchor.goto(f"{url}/page/icon.svg")  # where no script of the page runs
        self._used: ChatPage | None = None
        self._state = ""

    def new_page(self) -> Page:
        """Open an empty tab; nothing that another one has stored is there."""
        self._anchor.evaluate("localStorage.clear()")
        return self._context.new_page()

    def take(self) -> ChatPage:
        """Return the tab that was used before, or another one, with the page as it is after a press of "New chat"."""
        if self._used is None:
            self._used = ChatPage(self.new_page(), self._url).open().wait_for_models()
            self._state = self._used.start_over()
        self._used.problems.clear()
        self._used.requested.clear()
        return self._used

    def give_back(self) -> None:
        """Let the next test have the tab, unless anything is left in it that was not there before."""
        page, self._used = self._used, None
        if page is None or page.page.is_closed():
            return
        try:
            page.page.unroute_all(behavior="ignoreErrors")
            if page.start_over() == self._state:
                self._used = page
                return
        except Error:
            pass  # the tab has left the page, or a test has failed
        page.page.close()


@pytest.fixture(scope="package")
def profile(browser: Browser, app_process: App) -> Iterator[Profile]:
    """Create a browser profile; nothing of a tab persists in it but what the page's files are."""
    permissions = ["clipboard-read", "clipboard-write"]
    context = browser.new_context(viewport=DESKTOP, permissions=permissions, reduced_motion="reduce")
    yield Profile(context, app_process.url)
    context.close()


@pytest.fixture(scope="package")
def resuming(simulator_process: Simulator) -> Iterator[App]:
    """An app whose answers can be taken up again."""
    with App.start(simulator_process, RESUME="on", AZURE_OPENAI_API="responses") as app:
        yield app


@pytest.fixture
def page(profile: Profile, app: App) -> Iterator[ChatPage]:
    """Show the page in a desktop window with the light theme, in a tab that other tests have used, in a new chat.

    The user prefers reduced motion: what arrives is shown at once, in place of evenly over half a second.
    """
    page = profile.take()
    yield page
    problems = [*page.problems]
    profile.give_back()
    assert problems == []


@pytest.fixture
def moving_page(page: ChatPage) -> Iterator[ChatPage]:
    """Show the same page to a user who does not mind motion: what arrives appears evenly, and progress is animated."""
    page.page.emulate_media(reduced_motion="no-preference")
    yield page
    if not page.page.is_closed():
        page.page.emulate_media(reduced_motion="reduce")


@pytest.fixture
def open_page(profile: Profile, app: App) -> Iterator[OpenPage]:
    """Return a function that opens the page in a new tab, for a viewport and media of its own, or another app's `url`.

    Unless the media are given, the theme is light, and motion reduced.
    """
    opened: list[ChatPage] = []

    def open_page(*, url: str | None = None, viewport: ViewportSize = DESKTOP, **media: Any) -> ChatPage:
        page = ChatPage(profile.new_page(), url or app.url)
        opened.append(page)
        if viewport != DESKTOP:
            page.page.set_viewport_size(viewport)
        if media:
            page.page.emulate_media(**media)
        return page.open()

    yield open_page
    problems = [problem for page in opened for problem in page.problems]
    for page in opened:
        page.page.close()
    assert problems == []


@pytest.fixture
def stopped_page(browser: Browser, app: App) -> Iterator[ChatPage]:
    """Open the page in a profile of its own, where the clock can be stopped."""
    context = browser.new_context(viewport=DESKTOP)
    page = ChatPage(context.new_page(), app.url)
    yield page.open()
    problems = [*page.problems]
    context.close()
    assert problems == []
