"""The usage view: bars, table and limits of what the endpoint tells, behind the caller's key."""

import re
from typing import Any

import pytest

from tests.page.chat_page import PHONE, ChatPage
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser

ROW = {
    "caller": "alice",
    "day": "2026-11-02",
    "model": "gpt",
    "answers": 3,
    "input_tokens": 3000,
    "output_tokens": 1000,
}
ROWS = [
    ROW | {"estimated_tokens": 0, "cost": 0.25},
    ROW | {"day": "2026-11-03", "input_tokens": 1000, "estimated_tokens": 40, "cost": None},
    ROW | {"day": "2026-11-03", "model": "a <b>model</b> with a long name " * 4, "input_tokens": 0, "caller": "bob"},
]
TOLD = {
    "object": "usage",
    "caller": "alice",
    "callers": "all",
    "from": "2026-11-01",
    "to": "2026-11-27",
    "rows": ROWS,
    "limits": [
        {"unit": "tokens", "span": "day", "maximum": 20000, "left": 15000, "resets_at": "2026-11-28T00:00:00Z"},
        {"unit": "streams", "span": "now", "maximum": 5, "left": None, "resets_at": None},
    ],
}


def tell(page: ChatPage, told: Any, status: int = 200) -> None:
    page.page.route("**/usage", lambda route: route.fulfill(status=status, json=told))


def open_usage(page: ChatPage) -> str:
    """Open the view, and return its sentence."""
    page.page.get_by_role("button", name="Options").click()
    page.page.get_by_role("button", name="Show what was used this month").click()
    what = page.page.locator("#usage-what")
    page.page.wait_for_function("() => !document.getElementById('usage-what').textContent.startsWith('Looking')")
    return what.inner_text()


def test_the_view_shows_bars_a_table_and_limits_and_axe_finds_nothing_serious(open_page: OpenPage) -> None:
    page = open_page()
    tell(page, TOLD)
    assert open_usage(page) == "7,000 tokens were used by all callers from 2026-11-01 to 2026-11-27 (UTC)."
    dialog = page.page.locator("#usage-dialog")
    heights = dialog.locator("rect").evaluate_all("bars => bars.map((bar) => Number(bar.getAttribute('height')))")
    assert heights == [120, 60, 30], "of 4,000, 2,000 and 1,000 tokens"
    cells = dialog.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells == ["alice", "2026-11-02", "gpt", "3", "3,000", "1,000", "0", "0.25"]
    limits = dialog.locator(".usage-limits li").all_inner_texts()
    assert limits[0] == "tokens a day: 15,000 of 20,000 left, until 2026-11-28 00:00:00 UTC"
    assert limits[1] == "streams at a time: unknown how many are left"
    page.shot("usage")
    assert page.violations() == []


def test_the_key_is_sent_and_another_callers_use_is_not_kept(open_page: OpenPage) -> None:
    page = open_page()
    asked: list[str | None] = []

    def fulfil(route: Any) -> None:
        asked.append(route.request.headers.get("authorization"))
        route.fulfill(json=TOLD | {"callers": "own", "rows": [], "limits": []})

    page.page.route("**/usage", fulfil)
    page.page.get_by_role("button", name="Access key").click()
    page.page.get_by_label("Key", exact=True).fill("my-key")
    page.page.get_by_role("button", name="Use this key").click()
    assert open_usage(page) == "Nothing was used by alice from 2026-11-01 to 2026-11-27."
    assert asked == ["Bearer my-key"]
    page.page.get_by_role("button", name="Close").click()
    assert page.page.locator("#usage-dialog").is_hidden()


def test_where_usage_is_not_recorded_the_endpoints_own_sentence_says_so(open_page: OpenPage) -> None:
    page = open_page()
    assert open_usage(page) == "Usage is not recorded here: neither CALLER_LIMITS nor OPERATORS is set."
    assert page.page.locator("#usage-content").inner_text() == ""


def test_a_key_that_is_missing_is_said(open_page: OpenPage) -> None:
    page = open_page()
    tell(page, {}, 401)
    assert open_usage(page) == "A key is required. Enter your key for this deployment and try again."


def test_on_a_phone_the_table_scrolls_and_nothing_else_does(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    tell(page, TOLD)
    open_usage(page)
    wide = "(at) => at.scrollWidth - at.clientWidth"
    assert page.page.locator("#usage-dialog").evaluate(wide) == 0
    assert page.page.locator(".usage-table").evaluate(wide) > 0
    assert page.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert re.search("a <b>model</b>", page.page.locator(".usage-legend").inner_text())
