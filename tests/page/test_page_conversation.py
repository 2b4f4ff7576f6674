"""The conversation on the page: it survives a reload, is edited, takes images and options, and can be taken along."""

import base64
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Dialog, Route

from dev.simulator.control import Simulator
from tests.page.chat_page import PHONE, ChatPage, delta, events, finished
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser

LOCALLY = "() => [...Array(sessionStorage.length).keys()].map((index) => sessionStorage.key(index)).sort()"


def sim(word: str = "hi", **behaviour: Any) -> str:
    return f"{word} [[sim {json.dumps(behaviour)}]]"


def png(width: int, height: int, noise: bool = False) -> bytes:
    """Return an image, of one colour or of a pattern that does not compress well."""
    first = bytes(x * x * 31 % 251 for x in range(width * 3)) if noise else b"\x20\x60\xa0" * width
    step = 7919 if noise else 0
    rows = b"".join(
        b"\0" + first.translate(bytes((value + row * step) % 251 for value in range(256))) for row in range(height)
    )

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def attach(page: ChatPage, *files: tuple[str, str, bytes]) -> None:
    listed: list[Any] = [{"name": name, "mimeType": kind, "buffer": body} for name, kind, body in files]
    page.page.locator("#attach-files").set_input_files(listed)


def sent(simulator: Simulator, text: str) -> list[dict[str, Any]]:
    """Return the messages of the last request with this text."""
    messages: list[dict[str, Any]] = json.loads(simulator.requests(contains=text)[-1]["body"])["messages"]
    return messages


def answered(body: Any) -> Callable[[Route], None]:
    return lambda route: route.fulfill(json=body)


def questions(page: ChatPage) -> list[str]:
    return page.page.locator(".question > p").all_inner_texts()


# Reloading.


def test_conversation_draft_and_images_survive_a_reload_and_a_new_chat_clears_them(
    page: ChatPage, simulator: Simulator
) -> None:
    page.ask_and_wait(sim("one", text="First **answer**.", usage={"prompt": 5, "completion": 7}))
    attach(page, ("dot.png", "image/png", png(40, 20)))
    page.page.locator(".attachments canvas").wait_for()
    page.ask_and_wait("two")
    attach(page, ("draft.png", "image/png", png(20, 20)))
    page.page.locator(".attachments canvas").wait_for()
    page.question.fill("not sent yet")
    before = page.page.locator("#conversation").inner_text()
    page.page.reload()
    page.page.locator(".measure").nth(1).wait_for()
    assert page.page.locator("#conversation").inner_text() == before
    assert page.page.locator(".text strong").first.inner_text() == "answer"
    assert page.page.locator(".question canvas").get_attribute("aria-label") == "dot.png"
    assert page.question.input_value() == "not sent yet"
    assert page.page.locator(".attachments canvas").get_attribute("aria-label") == "draft.png"
    assert page.page.locator("#welcome").is_hidden()
    page.ask_and_wait("three")
    messages = sent(simulator, "three")
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert [part["type"] for part in messages[2]["content"]] == ["text", "image_url"]
    assert [part["type"] for part in messages[4]["content"]] == ["text", "image_url"]

    page.question.fill("again not sent")
    page.page.get_by_role("button", name="New chat").click()
    assert page.question.input_value() == ""
    assert page.page.evaluate(LOCALLY) == []
    page.page.reload()
    page.page.get_by_role("heading", name="Ask the model something").wait_for()
    assert page.page.locator(".turn").count() == 0


def test_an_answer_cut_off_by_a_reload_keeps_what_arrived_and_is_asked_again(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    asked: list[str] = []

    def accept(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    page.page.on("dialog", accept)
    page.ask(sim("long", tokens=["Begun ", *["and on "] * 500], interval=0.05))
    page.wait_for_text("and on")
    page.page.reload()
    assert asked == ["beforeunload"], "leaving would stop the answer"
    page.page.locator(".note:not([hidden])").wait_for()
    assert "The page was left before the answer was complete." in page.answer.inner_text()
    assert page.text.startswith("Begun and on")
    page.answer_with(events(delta("All of it."), finished()))
    page.answer.get_by_role("button", name="Ask again").click()
    page.wait_for_text("All of it.")
    page.wait_for_end()
    page.page.reload()
    page.wait_for_text("All of it.")
    assert asked == ["beforeunload"], "and nothing is asked where nothing is lost"
    assert page.page.locator(".turn").count() == 1


def test_a_failure_is_still_there_after_a_reload_and_two_tabs_keep_apart(page: ChatPage) -> None:
    page.answer_with(
        json.dumps({"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}),
        status=429,
        media_type="application/json",
    )
    page.ask_and_wait("too much")
    page.page.reload()
    page.page.locator(".failure").wait_for()
    assert "Slow down." in page.failure
    other = ChatPage(page.page.context.new_page(), page.url).open()
    assert other.page.locator(".turn").count() == 0
    other.page.close()


def test_two_hundred_turns_are_restored_and_go_on(open_page: OpenPage) -> None:
    page = open_page()
    turns = [
        {
            "question": f"Question {n}",
            "answer": f"## Answer {n}\n\nWith **bold**, `code` and $x^{n}$.\n\n```python\ndef f(): return {n}\n```\n",
            "pictures": [],
            "lostPictures": 0,
            "isUsable": True,
            "ending": {"measure": None, "note": "", "failure": None},
        }
        for n in range(200)
    ]
    page.page.goto(f"{page.url}/page/icon.svg")  # where no script of the page runs
    page.page.evaluate(
        "(turns) => { sessionStorage.setItem('streaming-endpoint-chat', JSON.stringify({ leftOut: 3, turns })); }",
        turns,
    )
    page.open()
    page.page.locator(".turn").nth(199).wait_for(timeout=20_000)
    page.page.locator(".turn").first.locator("h4", has_text="Answer 0").wait_for(timeout=20_000)
    left = "document.documentElement.scrollHeight - innerHeight - scrollY"
    assert page.page.evaluate(left) < 60, "at the end, which came first"
    assert page.page.locator("#left-out").inner_text().startswith("The first 3 questions were")
    page.answer_with(events(delta("Still quick."), finished()))
    assert page.ask_and_wait("201") == "Still quick."
    page.page.reload()
    page.page.locator(".turn").nth(200).wait_for(timeout=20_000)
    assert page.text == "Still quick."


# Editing.


def test_a_question_is_edited_with_the_keyboard_and_what_followed_can_be_brought_back(
    page: ChatPage, simulator: Simulator
) -> None:
    for word in ("one", "two", "three"):
        page.ask_and_wait(sim(word, text=f"Answer to {word}."))
    page.page.get_by_role("button", name="Edit").nth(1).focus()
    page.page.keyboard.press("Enter")
    assert page.focused == "Edit the question"
    page.page.keyboard.press("Escape")
    assert page.focused == "Edit"
    page.page.keyboard.press("Enter")
    simulator.behave(main={"text": "Another answer."})
    page.page.get_by_label("Edit the question").fill("2, in other words")
    page.page.keyboard.press("Enter")
    page.wait_for_text("Another answer.")
    page.wait_for_end(2)
    assert questions(page)[1:] == ["2, in other words"]
    assert [message["content"] for message in sent(simulator, "2, in other words")][1:] == [
        "Answer to one.",
        "2, in other words",
    ]
    assert page.focused == "question"
    assert "1 later question was removed." in page.page.locator(".turn").last.inner_text()
    page.page.get_by_role("button", name="Bring back what was here").click()
    assert [question.split()[0] for question in questions(page)] == ["one", "two", "three"]
    assert page.text == "Answer to three."
    page.page.reload()
    page.wait_for_text("Answer to three.")


def test_any_turn_can_be_asked_again_while_another_is_being_answered(
    moving_page: ChatPage, simulator: Simulator
) -> None:
    page = moving_page
    page.ask_and_wait("one")
    page.ask(sim("endless", tokens=500, interval=0.05))
    page.wait_for_words()
    simulator.behave(main={"text": "Once more."})
    page.page.get_by_role("button", name="Ask again").first.click()
    simulator.wait_for(ended="client_gone", timeout=8, contains="endless")
    page.wait_for_text("Once more.")
    page.wait_for_end()
    assert questions(page) == ["one"]
    page.page.get_by_role("button", name="Bring back what was here").click()
    assert "Stopped." in page.answer.inner_text()
    assert len(questions(page)) == 2


# Images.


def test_images_are_attached_pasted_and_dropped_scaled_down_and_sent(page: ChatPage, simulator: Simulator) -> None:
    attach(page, ("small.png", "image/png", png(30, 30)), ("large.png", "image/png", png(2600, 1300)))
    page.page.locator(".attachments canvas").nth(1).wait_for(timeout=15_000)
    give = """([kind, base64]) => {
      const data = new DataTransfer();
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      data.items.add(new File([bytes], `${kind}.png`, { type: "image/png" }));
      const init = { bubbles: true, cancelable: true };
      const event = kind === "paste"
        ? new ClipboardEvent("paste", { ...init, clipboardData: data })
        : new DragEvent("drop", { ...init, dataTransfer: data });
      document.getElementById("question").dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    encoded = base64.b64encode(png(10, 10)).decode()
    for kind in ("paste", "drop"):
        assert page.page.evaluate(give, [kind, encoded])
        page.page.get_by_role("img", name=f"{kind}.png").wait_for()
    page.page.get_by_role("button", name="Remove paste.png").click()
    assert page.focused == "attach"
    page.question.press("Enter")  # without a text
    page.wait_for_end()
    body = simulator.requests()[-1]["body"]
    urls = [part["image_url"]["url"] for part in json.loads(body)["messages"][0]["content"]]
    assert [url.split(";")[0] for url in urls] == ["data:image/png", "data:image/jpeg", "data:image/png"]
    assert base64.b64decode(urls[0].split(",")[1]) == png(30, 30), "small ones are sent as they are"
    sizes = page.page.locator(".question canvas").evaluate_all(
        "(all) => all.map(({ width, height }) => [width, height])"
    )
    assert sizes == [[30, 30], [240, 120], [10, 10]]
    scaled = page.page.evaluate(
        """async (url) => {
          const bytes = Uint8Array.from(atob(url.split(",")[1]), (character) => character.charCodeAt(0));
          const { width, height } = await createImageBitmap(new Blob([bytes]));
          return [width, height];
        }""",
        urls[1],
    )
    assert scaled == [2048, 1024]
    assert page.page.locator("#attachments").is_hidden()


def test_an_image_that_does_not_compress_stays_within_the_size_of_a_request(
    page: ChatPage, simulator: Simulator
) -> None:
    noise = png(1400, 1000, noise=True)
    attach(page, ("noise.png", "image/png", noise))
    page.page.locator(".attachments canvas").wait_for(timeout=15_000)
    page.ask_and_wait("noise")
    url = sent(simulator, "noise")[0]["content"][1]["image_url"]["url"]
    assert len(url) <= 1_400_000


def test_files_that_are_no_images_and_too_many_images_are_refused_with_the_reason(page: ChatPage) -> None:
    problem = page.page.locator("#attach-problem")

    def wait_for_problem(text: str) -> None:
        page.page.locator("#attach-problem", has_text=text).wait_for()

    attach(page, ("notes.pdf", "application/pdf", b"%PDF"))
    wait_for_problem("notes.pdf is not an image.")
    attach(page, ("broken.png", "image/png", b"no image"))
    wait_for_problem("broken.png is not an image that this browser can read.")
    attach(page, ("drawing.svg", "image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.ran=1'/>"))
    wait_for_problem("drawing.svg is not an image that this browser can read.")
    attach(page, *[(f"{n}.png", "image/png", png(4, 4)) for n in range(8)])
    wait_for_problem("A question takes 6 images at most.")
    assert page.page.locator(".attachments li").count() == 6
    assert page.spoken == problem.inner_text() == "A question takes 6 images at most."
    assert page.page.evaluate("window.ran") is None
    for _ in range(6):
        page.page.locator(".remove").first.click()
    assert page.send.is_disabled()


# Options, address, export.


def test_instructions_and_temperature_are_sent_kept_and_reset(page: ChatPage, simulator: Simulator) -> None:
    def body(text: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(simulator.requests(contains=text)[-1]["body"])
        return found

    page.ask_and_wait("without")
    assert "temperature" not in body("without")
    page.page.get_by_role("button", name="Options").click()
    page.page.get_by_label("Instructions").fill("Answer in verse.")
    page.page.get_by_label("Temperature").fill("3")
    page.page.get_by_role("button", name="Done").click()
    page.page.get_by_text("Enter a number from 0 to 2").wait_for()
    assert page.focused == "temperature"
    page.page.keyboard.press("Control+a")
    page.page.keyboard.type("0.3")
    page.page.keyboard.press("Enter")
    assert page.focused == "options-button"
    page.page.reload()
    page.page.get_by_role("button", name="Options (changed)").wait_for()
    page.ask_and_wait("with")
    found = body('"with"')
    assert found["temperature"] == 0.3
    assert found["messages"][0] == {"role": "system", "content": "Answer in verse."}
    assert sum(message["role"] == "system" for message in found["messages"]) == 1
    page.page.get_by_role("button", name="Options (changed)").click()
    page.page.get_by_role("button", name="Reset").click()
    page.page.get_by_role("button", name="Done").click()
    page.ask_and_wait("reset")
    assert body('"reset"')["messages"][0]["role"] == "user"


def test_a_question_in_the_address_is_filled_in_and_not_sent(open_page: OpenPage, simulator: Simulator) -> None:
    page = open_page()
    page.page.goto(f"{page.url}/?q=What%20is%20%3Cb%3Ethis%3C%2Fb%3E%3F")
    assert page.question.input_value() == "What is <b>this</b>?"
    assert page.page.url == f"{page.url}/"
    assert page.focused == "question"
    assert simulator.requests() == [], "a link costs nothing by itself"
    page.page.keyboard.press("Enter")
    page.wait_for_end()
    assert questions(page) == ["What is <b>this</b>?"]
    page.page.reload()
    assert page.question.input_value() == ""


def test_the_conversation_is_copied_and_saved_as_markdown(open_page: OpenPage) -> None:
    page = open_page()
    export = page.page.get_by_role("button", name="Export")
    assert export.count() == 0
    page.answer_with(events({"type": "started", "model": "gpt-x"}, delta("It is **so**: $x$."), finished()))
    page.ask_and_wait("Is it so?")
    text = "## You\n\nIs it so?\n\n## gpt-x\n\nIt is **so**: $x$.\n"
    export.focus()
    page.page.keyboard.press("Enter")
    page.page.locator("#export-button[aria-expanded=true]").wait_for()
    page.page.keyboard.press("Tab")
    assert page.focused == "export-copy"
    page.page.keyboard.press("Enter")
    page.page.wait_for_function("() => document.getElementById('announcer').textContent === 'Conversation copied.'")
    assert page.focused == "export-button"
    page.question.press("Control+v")
    assert page.question.input_value() == text
    export.click()
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Save as Markdown file").click()
    assert download.value.suggested_filename.startswith("chat-20")
    assert download.value.suggested_filename.endswith(".md")
    assert Path(download.value.path()).read_text(encoding="utf-8") == text


def test_the_page_says_what_answers(open_page: OpenPage) -> None:
    page = open_page()
    page.wait_for_models()
    assert page.page.locator("#source").inner_text() == "simulated model"
    assert "a simulator invents the answers" in page.page.locator("#welcome").inner_text()
    for owner, name in {"azure-openai": "Azure OpenAI", "local": "local model", "someone": ""}.items():
        listed = {"data": [{"id": "gpt", "owned_by": owner}]}
        page.page.unroute("**/v1/models")
        page.page.route("**/v1/models", answered(listed))
        page.page.reload()
        page.page.locator("#model-field").wait_for()
        assert page.page.locator("#source").inner_text() == name


def test_axe_finds_nothing_in_the_new_parts_and_nothing_scrolls_sideways(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE).wait_for_models()
    attach(page, ("one.png", "image/png", png(900, 300)), ("two.png", "image/png", png(30, 30)))
    page.page.locator(".attachments canvas").nth(1).wait_for()
    attach(page, ("notes.pdf", "application/pdf", b"%PDF"))
    page.page.locator("#attach-problem:not(:empty)").wait_for()
    found = page.violations()
    page.shot("mobile-attached")
    page.answer_with(events(delta("Two pictures."), finished()))
    page.ask_and_wait("What is this?")
    page.ask_and_wait("And now?")
    page.page.get_by_role("button", name="Ask again").first.click()
    page.page.get_by_role("button", name="Bring back what was here").wait_for()
    page.wait_for_end()
    page.page.get_by_role("button", name="Edit").last.click()
    found += page.violations()
    page.shot("mobile-edit")
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.page.evaluate(wide) == 0
    page.page.keyboard.press("Escape")
    page.page.get_by_role("button", name="Export").click()
    found += page.violations()
    page.shot("mobile-export")
    page.page.keyboard.press("Escape")
    page.page.get_by_role("button", name="Options").click()
    found += page.violations()
    page.shot("mobile-options")
    assert found == []
