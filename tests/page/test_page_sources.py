"""Answers with sources: the steps while they happen, chips, markers that lead to them, excerpts, and hostile ones."""

from typing import Any

import pytest

from tests.page.chat_page import PHONE, ChatPage, delta, events, finished
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser

GUIDE = {
    "type": "source",
    "id": "1",
    "title": "Guide",
    "url": "https://docs.example.com/guide",
    "excerpt": "A body waits.",
}
NOTES = {"type": "source", "id": "2", "title": "Notes.pdf", "url": "", "excerpt": "It waits for long."}
STARTED = {"type": "started", "id": "a", "model": "m"}


def step(name: str, status: str, **detail: Any) -> dict[str, Any]:
    return {"type": "step", "name": name, "status": status, **({"detail": detail} if detail else {})}


SEARCHED = [
    step("search-query", "started"),
    step("search-query", "finished", query="what waits"),
    step("search", "started"),
    GUIDE,
    NOTES,
    step("search", "finished", count=2, milliseconds=143),
]
TEXT = "A body [1] waits [2][1].\n\nNot `a[1]`, [0], [3] or [12].\n\n```python\nx = a[1]\n```\n"
ANSWER = events(*SEARCHED, STARTED, delta(TEXT), finished())


def ask(page: ChatPage, body: str = ANSWER) -> ChatPage:
    page.answer_with(body)
    page.ask_and_wait("What waits?")
    return page


def test_the_steps_are_one_line_in_words(page: ChatPage) -> None:
    line = ask(page).answer.locator(".steps")
    assert line.inner_text().strip() == "Question: “what waits” · 2 passages, 143 ms"
    assert line.get_attribute("role") == "status"


LINES = [
    ([step("search", "failed")], "The search failed: this answer has no sources"),
    ([step("search", "finished", count=0, milliseconds=7)], "nothing found, 7 ms"),
    ([step("search", "finished", count=1, milliseconds=7.4)], "1 passage, 7 ms"),
    ([step("web_search", "searching"), step("web_search", "completed", query="q")], "web search: completed “q”"),
    ([step("search-query", "finished", query="x" * 500)], f"Question: “{'x' * 80}…”"),
    ([step("<b>s</b>", "<img src=x>")], "<b>s</b>: <img src=x>"),
]


def test_each_status_has_its_words(page: ChatPage) -> None:
    for steps, line in LINES:
        ask(page, events(*steps, delta("a"), finished()))
        assert page.answer.locator(".steps").inner_text().strip() == line


def test_sources_are_chips_in_their_order(page: ChatPage) -> None:
    chips = ask(page).answer.locator(".sources .chip")
    assert chips.all_inner_texts() == ["1\nGuide", "2\nNotes.pdf"]
    guide, notes = chips.all()
    assert (guide.get_attribute("href"), guide.get_attribute("target")) == ("https://docs.example.com/guide", "_blank")
    assert guide.get_attribute("rel") == "noopener noreferrer"
    assert (notes.get_attribute("type"), notes.get_attribute("href")) == ("button", None)


def test_a_marker_leads_to_its_source_and_only_outside_of_code(page: ChatPage) -> None:
    ask(page)
    markers = page.answer.locator(".text a.marker")
    assert markers.all_inner_texts() == ["[1]", "[2]", "[1]"]
    assert page.answer.locator(":is(code, pre) a").count() == 0
    assert page.text.startswith("A body [1] waits [2][1].")
    assert "[0], [3] or [12]" in page.text
    address = page.page.url
    page.page.get_by_role("link", name="Source 2: Notes.pdf").click()
    assert page.focused == chip(page, 2)
    assert page.page.url == address


def chip(page: ChatPage, number: int) -> str | None:
    """Return the id of a source's chip, the `number`th of the last answer."""
    return page.answer.locator(".sources .chip").nth(number - 1).get_attribute("id")


def card(page: ChatPage) -> Any:
    return page.page.locator("#source-card")


def test_what_a_source_says_shows_on_hover_and_can_be_pointed_at(page: ChatPage) -> None:
    ask(page)
    page.page.get_by_role("link", name="Source 1: Guide").first.hover()
    assert card(page).inner_text().split() == ["Guide", "https://docs.example.com/guide", "A", "body", "waits."]
    card(page).hover()
    page.page.wait_for_timeout(400)
    assert card(page).is_visible()
    page.question.hover()
    card(page).wait_for(state="hidden")


def test_the_keyboard_reaches_markers_chips_and_excerpts_and_escape_closes_them(page: ChatPage) -> None:
    ask(page)
    marker = page.page.get_by_role("link", name="Source 1: Guide").first
    marker.focus()
    assert card(page).is_visible()
    assert marker.get_attribute("aria-describedby") == "source-card"
    page.page.keyboard.press("Escape")
    assert card(page).is_hidden()
    assert marker.get_attribute("aria-describedby") is None
    page.page.keyboard.press("Enter")
    assert page.focused == chip(page, 1)
    page.page.keyboard.press("Tab")
    assert page.focused == chip(page, 2)
    assert "It waits for long." in card(page).inner_text()


def test_nothing_of_it_keeps_anybody_out(open_page: OpenPage) -> None:
    page = ask(open_page())
    assert page.violations() == []
    page.page.get_by_role("link", name="Source 1: Guide").first.focus()
    assert card(page).is_visible()
    assert page.violations() == []


def test_on_a_narrow_screen_nothing_is_cut_off(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    long = {**GUIDE, "title": "A title that goes on " * 20, "excerpt": "word " * 100}
    ask(page, events(long, delta("A body [1]."), finished()))
    page.page.locator(".marker").focus()
    for part in (".chip", "#source-card"):
        box = page.page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
    assert page.page.evaluate("document.documentElement.scrollWidth") <= 320


HOSTILE = {
    "type": "source",
    "id": "1",
    "title": "<img src=x onerror=\"document.title='hacked'\"> [2](javascript:alert(1))",
    "url": "javascript:document.title='hacked'",
    "excerpt": "<script>document.title='hacked'</script><a href='https://evil.example'>click</a>\u202e\x1b[31m",
}


def test_a_hostile_source_is_text_and_leads_nowhere(page: ChatPage) -> None:
    title = page.page.title()
    other = {**HOSTILE, "id": "2", "url": "https://evil.example/\" onmouseover=\"document.title='hacked'"}
    ask(page, events(HOSTILE, other, {**HOSTILE, "id": 3}, {"type": "source"}, delta("See [1] and [2]."), finished()))
    for marker in page.page.locator(".marker").all():
        marker.hover()
        marker.click()
    page.page.wait_for_timeout(100)
    assert page.page.title() == title
    assert page.page.locator(".answer :is(script, img), #source-card :is(script, img, a)").count() == 0
    assert page.page.locator(".chip[href^='javascript']").count() == 0
    assert "<script>" in card(page).inner_text()
    assert [url for url in page.requested if "evil" in url] == []


def test_sources_come_back_with_the_conversation(page: ChatPage) -> None:
    ask(page)
    page.page.reload()
    page.page.locator(".sources .chip").first.wait_for()
    assert page.answer.locator(".sources .chip").all_inner_texts() == ["1\nGuide", "2\nNotes.pdf"]
    assert page.answer.locator(".text a.marker").count() == 3


def test_an_answer_in_one_piece_has_them_too(page: ChatPage) -> None:
    answer = (
        '{"id":"a","model":"m","text":"A body [1].","finish_reason":"stop",'
        '"steps":[{"name":"search","status":"finished","detail":{"count":1,"milliseconds":5}}],'
        '"sources":[{"id":"1","title":"Guide","url":"https://x.example/","excerpt":"e"}]}'
    )
    page.answer_with(answer, media_type="application/json")
    page.ask_and_wait("What waits?")
    assert page.answer.locator(".steps").inner_text().strip() == "1 passage, 5 ms"
    assert page.answer.locator(".text a.marker").all_inner_texts() == ["[1]"]
