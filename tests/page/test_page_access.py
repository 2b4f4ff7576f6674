"""Accessibility: keyboard only, screen readers, reduced motion, dark theme, narrow screens, and axe."""

import json

import pytest

from dev.simulator.control import Simulator
from tests.page.chat_page import DESKTOP, PHONE, ChatPage, delta, events, finished
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser

RICH = (
    "# Heading\n\nText with `code`, **weight** and a [link](https://example.com).\n\n"
    "| Setting | Default |\n|---|--:|\n| `COMMIT_SECONDS` | 10 |\n\n- one\n- two\n\n"
    "```python\nasync def tell(story: list[str]) -> None:\n    for word in story:  # however long the line becomes\n"
    '        print(word, end="", flush=True)\n        return None if word == 42 else word.strip()\n```\n\n> A quotation.\n'
)
USAGE = {"type": "usage", "input_tokens": 24, "output_tokens": 180, "cached_tokens": 0, "reasoning_tokens": 64}


def full_conversation(page: ChatPage) -> None:
    """Show everything that the page can show."""
    step = {"type": "step", "name": "web_search", "status": "completed"}
    page.answer_with(events(step, {"type": "reasoning", "text": "First, **think**."}, delta(RICH), USAGE, finished()))
    page.ask_and_wait("Show me everything, please")
    page.answer.locator("summary").click()
    page.answer_with(events(delta("Text that is"), finished("length")))
    page.ask_and_wait("And something that is cut?")
    error = {
        "error": {
            "message": "Requests to this deployment exceeded its limit.",
            "type": "x",
            "code": "rate_limit_exceeded",
        }
    }
    page.answer_with(
        json.dumps(error), status=429, media_type="application/json", retry_after="12", x_request_id="req_1"
    )
    page.ask_and_wait("And when too many ask?")


def test_the_page_works_with_the_keyboard_only(open_page: OpenPage, simulator: Simulator) -> None:
    page = open_page(reduced_motion="no-preference")
    keyboard = page.page.keyboard
    assert page.focused == "question", "focused from the start"
    keyboard.type("one")
    keyboard.press("Shift+Enter")
    keyboard.type("two")
    assert page.question.input_value() == "one\ntwo"
    simulator.behave(main={"tokens": 400, "interval": 0.03})
    keyboard.press("Enter")
    assert page.question.input_value() == ""
    assert page.focused == "question"
    page.wait_for_words()
    keyboard.type("while it writes")
    keyboard.press("Enter")
    assert page.question.input_value() == "while it writes", "kept, not sent: one answer at a time"
    keyboard.press("Escape")
    page.wait_for_end()
    reached = []
    for _ in range(6):
        keyboard.press("Shift+Tab")
        reached.append(page.focused)
        if page.focused == "Ask again":
            break
    assert reached[-1] == "Ask again"
    simulator.behave(main={"text": "Answered again."})
    keyboard.press("Enter")
    page.wait_for_text("Answered again.")
    page.wait_for_end()
    assert page.focused == "question"


def test_every_control_is_reached_in_order_and_shows_its_focus(page: ChatPage) -> None:
    page.page.locator("#model-field").wait_for()
    page.page.locator("#key-button").focus()
    order = []
    for _ in range(8):
        page.page.keyboard.press("Tab")
        order.append(page.focused)
        if page.focused != "question":  # shown by the composer
            outline = page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", page.focused
    examples = page.page.locator(".examples button").all_inner_texts()
    assert order == ["theme-button", *examples, "question", "attach", "options-button", "model"]


def test_in_a_high_contrast_theme_the_question_shows_its_focus(open_page: OpenPage) -> None:
    page = open_page(forced_colors="active")
    outline = "getComputedStyle(document.getElementById('composer')).outlineStyle"
    assert page.focused == "question"
    assert page.page.evaluate(outline) == "solid"
    page.page.locator("#theme-button").focus()
    assert page.page.evaluate(outline) == "none"


def test_screen_readers_get_states_and_complete_answers_never_single_words(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    page.page.evaluate("""() => {
      window.heard = [];
      new MutationObserver(() => window.heard.push(document.getElementById("announcer").textContent))
        .observe(document.getElementById("announcer"), { childList: true });
    }""")
    page.ask_and_wait(
        f"hi [[sim {json.dumps({'tokens': ['One ', 'word ', 'after ', 'the ', '**other**.'], 'interval': 0.06})}]]"
    )
    page.page.wait_for_timeout(50)
    assert [text.strip() for text in page.page.evaluate("window.heard")] == [
        "The model is answering.",
        "Answer: One word after the other.",
    ]
    assert page.page.locator("[aria-live], [role=log], [role=alert]:not(dialog *)").count() == 0, (
        "nothing else is announced"
    )


def test_with_reduced_motion_each_arrival_is_shown_at_once_and_nothing_moves(open_page: OpenPage) -> None:
    page = open_page()
    page.sample()
    page.ask(f"hi [[sim {json.dumps({'tokens': 90, 'interval': 0.01, 'burst': 30})}]]")
    page.wait_for_words()
    assert page.page.evaluate("document.getAnimations().length") == 0
    page.wait_for_end()
    assert len(page.samples()) <= 8, "three bursts, and not many more steps"


def test_axe_finds_nothing_serious_in_either_theme(open_page: OpenPage) -> None:
    page = open_page()
    found = page.violations()
    page.shot("desktop-empty")
    full_conversation(page)
    found += page.violations()
    page.page.set_viewport_size({"width": 1200, "height": 1440})
    page.shot("desktop")
    page.page.set_viewport_size(DESKTOP)
    page.page.get_by_role("button", name="Access key").click()
    found += page.violations()
    page.shot("desktop-key")
    assert found == []


def test_dark_is_dark_and_the_switch_is_remembered(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")

    def brightness() -> int:
        colour = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))

    assert brightness() < 150
    page.page.get_by_role("button", name="Switch to the light theme").click()
    assert brightness() > 600
    page.page.reload()
    assert brightness() > 600
    page.page.get_by_role("button", name="Switch to the dark theme").click()
    assert brightness() < 150


@pytest.mark.parametrize("width", [320, 1920])
def test_nothing_scrolls_sideways_at_any_width(open_page: OpenPage, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 640})
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.page.evaluate(wide) == 0
    assert page.page.evaluate("scrollY") == 0
    full_conversation(page)
    page.answer_with(events(delta("https://example.com/" + "long" * 80 + "\n\n`" + "x" * 300 + "`"), finished()))
    page.ask_and_wait("a" * 200)
    assert page.page.evaluate(wide) == 0
    for name in ("Send", "New chat", "Access key"):
        box = page.page.get_by_role("button", name=name, exact=True).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    if width == 320:
        page.shot("mobile-end")
        page.page.evaluate("scrollTo(0, 0)")
        page.shot("mobile")


def test_on_a_phone_the_controls_stay_on_one_line_and_the_bar_keeps_its_height(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    listed = {"data": [{"id": "gpt-5.4-mini"}, {"id": "a-model-with-a-rather-long-name"}]}
    page.page.route("**/v1/models", lambda route: route.fulfill(json=listed))
    page.page.reload()
    page.page.locator("#model-field").wait_for()
    boxes = [page.page.locator(at).bounding_box() for at in ("#attach", "#options-button", "#model", "#send")]
    middles = [box["y"] + box["height"] / 2 for box in boxes if box is not None]
    assert len(middles) == 4
    assert max(middles) - min(middles) < 4
    height = "document.querySelector('.bar').offsetHeight"
    before = page.page.evaluate(height)
    page.answer_with(events(delta("Hi."), finished()))
    page.ask_and_wait("hello")
    assert page.page.evaluate(height) == before, "the new-chat button has joined the others"


def test_on_a_phone_a_table_scrolls_and_its_cells_neither_shrink_nor_overlap(
    open_page: OpenPage,
) -> None:
    page = open_page(viewport=PHONE)
    words = "what it means for somebody who reads this table on a phone"
    table = f"| Setting | Default | {words} |\n|---|--:|---|\n| `{'A_LONG_NAME_' * 6}` | 10 | {words} |\n"
    page.answer_with(events(delta(table), finished()))
    page.ask_and_wait("table")
    cells = page.answer.locator("td")
    assert not any(cells.evaluate_all("(cells) => cells.map((cell) => cell.scrollWidth > cell.clientWidth)"))
    assert cells.last.evaluate("(cell) => cell.clientWidth") > 200
    assert page.answer.locator(".table").evaluate("(frame) => frame.scrollWidth > frame.clientWidth")


def test_right_to_left_text_is_displayed_right_to_left(page: ChatPage) -> None:
    text = "مرحبا `code` بالعالم.\n\n- بند\n\n| أ | ب |\n|---|---|\n| 1 | 2 |\n\nEnglish.\n\n```\nنص\n```\n"
    page.answer_with(events(delta(text), finished()))
    page.question.fill("مرحبا؟")
    direction = "element => getComputedStyle(element).direction"
    assert page.question.evaluate(direction) == "rtl"
    page.question.press("Enter")
    page.wait_for_end()
    assert page.page.locator(".question p").evaluate(direction) == "rtl"
    found = {at: page.answer.locator(f".text {at}").first.evaluate(direction) for at in ("p", "li", "td", "pre")}
    assert found == {"p": "rtl", "li": "rtl", "td": "rtl", "pre": "ltr"}
    assert page.answer.get_by_text("English.").evaluate(direction) == "ltr"


def test_paragraphs_in_a_list_item_and_in_a_quotation_are_separated(page: ChatPage) -> None:
    page.answer_with(events(delta("1. one\n\n   two\n\n> three\n>\n> four\n"), finished()))
    page.ask_and_wait("paragraphs")
    for block in ("li", "blockquote"):
        first, second = (page.answer.locator(f"{block} > p").nth(number).bounding_box() for number in (0, 1))
        assert first is not None
        assert second is not None
        assert second["y"] - (first["y"] + first["height"]) >= 6, block


def test_the_page_follows_the_text_until_the_user_scrolls_up(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 900, "height": 500}, reduced_motion="no-preference")
    left = "document.documentElement.scrollHeight - innerHeight - scrollY"
    lines = [f"Line {number}.\n\n" for number in range(60)]
    page.ask(f"hi [[sim {json.dumps({'tokens': lines, 'interval': 0.02})}]]")
    page.wait_for_words(250)
    assert page.page.evaluate(left) < 60
    page.page.mouse.move(400, 200)
    page.page.mouse.wheel(0, -400)
    latest = page.page.get_by_role("button", name="Latest")
    latest.wait_for()
    before = page.page.evaluate("scrollY")
    page.page.wait_for_timeout(200)
    assert page.page.evaluate("scrollY") == before
    latest.click()
    assert page.page.evaluate(left) < 60
    page.wait_for_end()
    assert page.page.evaluate(left) < 60
    assert latest.is_hidden()
