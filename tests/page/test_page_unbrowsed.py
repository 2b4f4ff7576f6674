"""What the browser tests say on a machine without a browser; tests/dev/test_suite.py has the closing lines of a run."""

import pytest

from tests.page.conftest import require_browser


def test_skipped_browser_tests_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr("tests.page.chat_page.BROWSERS", ("chromium",))  # without those that have one place
    with pytest.raises(pytest.skip.Exception, match="the page's tests need a browser: apt-get install chromium"):
        require_browser()
