"""Questions and answers on the page, in a real browser, from the app on the real worker."""

import json
from itertools import pairwise
from typing import Any

import pytest

from dev.simulator.control import Simulator
from tests.page.chat_page import ChatPage, delta, events, finished
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser


def sim(word: str = "hi", **behaviour: Any) -> str:
    """Return a question that carries the upstream's behaviour."""
    return f"{word} [[sim {json.dumps(behaviour)}]]"


# The answer appears.


def test_an_answer_that_arrives_in_bursts_appears_evenly(stopped_page: ChatPage) -> None:
    page = stopped_page
    page.answer_by_hand()
    page.ask("bursts")
    lengths = [0]
    for _ in range(5):
        page.arrive(events(*[delta("word ")] * 40))
        lengths += page.frames(12)
    page.arrive(events(finished()), is_last=True)
    lengths += page.frames(20)
    page.wait_for_end()
    total = len(page.text)
    assert total == 5 * 40 * len("word ") - 1
    assert lengths[-1] >= total, "everything is shown"
    grown = [later - earlier for earlier, later in pairwise(lengths)]
    assert max(grown) < total / 20, "a burst is a fifth of the answer"
    assert sum(map(bool, grown)) > 40
    assert 0.25 * total < lengths[len(lengths) // 2] < 0.75 * total


def test_an_answer_that_arrives_at_once_is_still_revealed_in_steps_and_soon_done(stopped_page: ChatPage) -> None:
    page = stopped_page
    page.answer_by_hand()
    page.ask("at once")
    page.arrive(events(*[delta("word ")] * 300, finished()), is_last=True)
    lengths = page.frames(36)
    page.wait_for_end()
    assert lengths[-1] >= len(page.text) == 300 * len("word ") - 1, "1.2 seconds"
    assert len(set(lengths)) > 12


def test_the_first_word_is_shown_while_the_rest_is_being_generated(moving_page: ChatPage) -> None:
    page = moving_page
    page.ask(sim(tokens=["First ", "second ", "third"], interval=0.4))
    page.wait_for_words()
    assert "third" not in page.text
    assert page.answer.get_attribute("aria-busy") == "true"
    page.wait_for_end()
    assert page.text == "First second third"
    assert page.answer.get_attribute("aria-busy") is None


def test_streamed_markdown_ends_up_as_if_rendered_at_once(moving_page: ChatPage) -> None:
    page = moving_page
    text = (
        "# Title\n\nSome **bold [link](https://example.com/x)** text with `code` and [a reference][1].\n\n"
        "1. one\n2. two\n\n   ```python\n   def f():\n       return 1\n   ```\n\n3. three\n\n"
        "| a | b |\n|---|--:|\n| 1 | 2 |\n\n> quote\n> more\n\n- [x] done\n\nEnd.\n\n[1]: https://example.com/r\n"
    )
    page.ask_and_wait(sim(tokens=list(text), interval=0.002, burst=7))
    page.set_streaming(on=False)
    page.ask_and_wait(sim(text=text))
    streamed, complete = page.page.locator(".text").first, page.page.locator(".text").last
    for _ in range(100):  # the last block may be highlighted a frame later
        if streamed.inner_html() == complete.inner_html():
            break
        page.page.wait_for_timeout(50)
    assert complete.inner_html() == streamed.inner_html()
    assert page.answer.locator("ol > li").count() == 3
    assert page.answer.locator("td[align=right]").inner_text() == "2"
    assert page.answer.locator("a[href='https://example.com/r']").inner_text() == "a reference"
    assert page.answer.locator(".hljs-keyword").first.inner_text() == "def"


def test_a_reference_becomes_a_link_when_its_definition_comes_last(open_page: OpenPage) -> None:
    page = open_page()
    page.ask_and_wait(sim(tokens=["See [this][1].\n\nMore.\n\n", "[1]: https://example.com/r\n"], interval=0.5))
    assert page.answer.locator("a[href='https://example.com/r']").inner_text() == "this"


def test_later_questions_carry_the_conversation(page: ChatPage, simulator: Simulator) -> None:
    page.ask_and_wait(sim("one", text="first answer"))
    page.ask_and_wait("two")
    body = json.loads(simulator.requests(contains="two")[-1]["body"])
    said = [(message["role"], message["content"]) for message in body["messages"]]
    assert said == [("user", sim("one", text="first answer")), ("assistant", "first answer"), ("user", "two")]


def test_a_new_chat_forgets_the_old_one(moving_page: ChatPage, simulator: Simulator) -> None:
    page = moving_page
    page.ask_and_wait("before")
    page.ask(sim("under-way", tokens=500, interval=0.05))
    page.wait_for_words()
    page.page.get_by_role("button", name="New chat").click()
    simulator.wait_for(ended="client_gone", timeout=8, contains="under-way")
    assert page.page.locator(".turn").count() == 0
    assert page.page.get_by_role("heading", name="Ask the model something").is_visible()
    assert page.focused == "question"
    page.ask_and_wait("after")
    assert len(json.loads(simulator.requests(contains="after")[-1]["body"])["messages"]) == 1


def test_an_example_is_asked_by_pressing_it(page: ChatPage) -> None:
    page.page.get_by_role("button", name="Write a Python function that reads server-sent events").click()
    page.wait_for_end()
    assert "Write a Python function" in page.page.locator(".question").inner_text()
    assert page.focused == "question"


# Around the answer.


def test_each_answer_shows_its_timing_and_usage(moving_page: ChatPage) -> None:
    page = moving_page
    page.ask_and_wait(sim(tokens=12, start_delay=0.3, usage={"prompt": 1234, "completion": 12, "cached": 1024}))
    measure = page.measure
    assert "first word after 3" in measure or "first word after 4" in measure
    for part in ("gpt", "total", "1,234 tokens in (1,024 cached)", "12 out"):
        assert part in measure


def test_reasoning_is_collapsed_and_opens(moving_page: ChatPage) -> None:
    page = moving_page
    page.answer_with(events({"type": "reasoning", "text": "I **think**."}, delta("So it is."), finished()))
    page.ask_and_wait("why")
    reasoning = page.answer.locator("details.reasoning")
    assert reasoning.get_attribute("open") is None
    reasoning.locator("summary").click()
    reasoning.get_by_text("think").wait_for()
    assert reasoning.locator("strong").inner_text() == "think"
    assert page.text == "So it is."


def test_steps_are_shown_with_their_status(page: ChatPage) -> None:
    steps = [
        {"type": "step", "name": "web_search", "status": status} for status in ("in_progress", "searching", "completed")
    ]
    page.answer_with(events(*steps, delta("Found."), finished()))
    page.ask_and_wait("search")
    assert page.answer.locator(".steps").inner_text() == "web search: completed"


def test_the_answer_and_each_code_block_can_be_copied(page: ChatPage) -> None:
    page.answer_with(events(delta("Look: **this**\n\n```js\nconst a = 1;\nlet b;\n```\n"), finished()))
    page.ask_and_wait("code")
    page.answer.get_by_role("button", name="Copy code").click()
    page.answer.get_by_role("button", name="Copied").wait_for()
    page.question.press("Control+v")
    assert page.question.input_value() == "const a = 1;\nlet b;"
    page.question.fill("")
    page.answer.get_by_role("button", name="Copied").wait_for(state="hidden")
    page.answer.get_by_role("button", name="Copy answer").click()
    page.answer.get_by_role("button", name="Copied").last.wait_for()
    page.question.press("Control+v")
    assert page.question.input_value() == "Look: **this**\n\n```js\nconst a = 1;\nlet b;\n```\n"


@pytest.mark.parametrize(
    ("reason", "words"),
    [("length", "The token limit was reached"), ("content_filter", "Stopped by the content filter")],
)
def test_an_ending_by_a_limit_or_filter_is_explained(page: ChatPage, reason: str, words: str) -> None:
    page.ask_and_wait(sim(tokens=5, finish_reason=reason))
    assert words in page.answer.locator(".note").inner_text()


# Stopping.


def test_the_stop_button_reaches_the_upstream_and_keeps_what_arrived(
    moving_page: ChatPage, simulator: Simulator
) -> None:
    page = moving_page
    page.ask(sim("stop-button", tokens=500, interval=0.05))
    page.wait_for_words(20)
    page.stop.click()
    assert simulator.wait_for(ended="client_gone", timeout=8, contains="stop-button")["tokens_sent"] < 200
    page.wait_for_end()
    assert "Stopped" in page.answer.locator(".note").inner_text()
    assert len(page.text) >= 20
    assert page.focused == "question"


def test_a_question_can_be_stopped_before_its_first_word(moving_page: ChatPage, simulator: Simulator) -> None:
    page = moving_page
    page.ask(sim("too-slow", start_delay=30))
    simulator.wait_for(contains="too-slow")
    page.question.press("Escape")
    simulator.wait_for(ended="client_gone", timeout=8, contains="too-slow")
    page.wait_for_end()
    assert page.text == ""
    assert page.ask_and_wait(sim(text="On we go.")) == "On we go."


def test_closing_the_tab_reaches_the_upstream(page: ChatPage, simulator: Simulator) -> None:
    page.ask(sim("tab-closed", tokens=500, interval=0.05))
    page.wait_for_words()
    page.page.close()
    simulator.wait_for(ended="client_gone", timeout=8, contains="tab-closed")


# Failures.


def test_a_failure_in_the_middle_is_reported_and_a_retry_answers(moving_page: ChatPage, simulator: Simulator) -> None:
    page = moving_page
    simulator.behave(main={"tokens": ["Half ", "of ", "it"], "interval": 0.05, "end": "reset"})
    page.ask("flaky")
    page.wait_for_end()
    assert page.text == "Half of it"
    assert "The answer above is incomplete." in page.failure
    assert "req_" in page.failure
    simulator.behave(main={"text": "All of it."})
    page.answer.get_by_role("button", name="Retry").click()
    page.wait_for_text("All of it.")
    page.wait_for_end()
    assert page.text == "All of it."
    assert page.page.locator(".turn").count() == 1
    assert page.page.locator(".failure").count() == 0
    assert page.focused == "question"


def test_a_rate_limit_is_reported_with_the_time_to_wait(page: ChatPage, simulator: Simulator) -> None:
    simulator.behave(main={"status": 429, "headers": {"retry-after-ms": "7000"}, "repeat": True})
    page.ask("too much")
    page.wait_for_end()
    assert page.failure.startswith("Too many requests")
    assert "wait 7 seconds" in page.failure
    assert "HTTP 429" in page.failure
    assert "Too many requests" in page.spoken


def test_a_blocked_question_is_reported_and_left_out_of_the_next_request(page: ChatPage, simulator: Simulator) -> None:
    simulator.behave(main=[{"status": 400, "error": "content_filter"}, {"text": "Fine."}])
    page.ask("bad words")
    page.wait_for_end()
    assert page.failure.startswith("The content filter blocked this")
    assert page.ask_and_wait("good words") == "Fine."
    assert "bad words" not in simulator.requests(contains="good words")[-1]["body"]


def test_a_connection_that_ends_before_the_answer_is_reported_as_incomplete(moving_page: ChatPage) -> None:
    page = moving_page
    page.answer_with(events(delta("Half of ")) + '{"type":"delta","text":"the li')
    page.ask("cut")
    page.wait_for_end()
    assert page.text == "Half of"
    assert page.failure.startswith("The answer is incomplete")


@pytest.mark.parametrize(
    ("body", "media_type", "title"),
    [
        ("<html>sign in</html>", "text/html", "Unexpected response"),
        ("<html>\n", "application/x-ndjson", "The answer is incomplete"),
        ("", "application/x-ndjson", "The answer is incomplete"),
        ('{"text":', "application/json", "The answer is incomplete"),
        ("[]", "application/json", "The answer is incomplete"),
    ],
)
def test_a_response_that_is_no_answer_is_reported(page: ChatPage, body: str, media_type: str, title: str) -> None:
    page.answer_with(body, media_type=media_type)
    page.ask("odd")
    page.wait_for_end()
    assert page.failure.startswith(title)


def test_an_unreachable_endpoint_is_reported(page: ChatPage) -> None:
    page.page.context.set_offline(True)
    try:
        page.ask("anyone")
        page.wait_for_end()
    finally:
        page.page.context.set_offline(False)
    assert page.failure.startswith("The endpoint can't be reached")


# In other forms.


def test_an_answer_in_server_sent_events_is_read_as_well(page: ChatPage) -> None:
    frames = [delta("As "), {"type": "heartbeat"}, delta("events."), finished()]
    body = ": hi\n\n" + "".join(f"event: {frame['type']}\r\ndata: {json.dumps(frame)}\r\n\r\n" for frame in frames)
    page.answer_with(body, media_type="text/event-stream; charset=utf-8")
    assert page.ask_and_wait("events") == "As events."


def test_with_streaming_switched_off_the_answer_is_shown_at_once(moving_page: ChatPage, simulator: Simulator) -> None:
    page = moving_page
    page.set_streaming(on=False)
    page.sample()
    page.ask_and_wait(sim(tokens=60, interval=0.01))
    assert len(page.samples()) == 1
    assert "complete answer after" in page.measure
    assert "60 out" in page.measure


# Answers that cannot be rendered.


def test_markdown_that_cannot_be_rendered_is_shown_as_plain_text(moving_page: ChatPage) -> None:
    page = moving_page
    for streaming in (True, False):
        page.set_streaming(on=streaming)
        for markdown in (">" * 6000, "1. " * 8000):
            page.answer_with(events(delta(markdown), finished()))
            page.ask_and_wait("nested")
            assert page.page.locator(".text").last.text_content() == markdown, (markdown[:3], streaming)
            page.answer_with(events(delta("Still **here**."), finished()))
            assert page.ask_and_wait("again") == "Still here."


def test_a_view_that_fails_does_not_keep_the_answer_from_ending(moving_page: ChatPage) -> None:
    page = moving_page
    has_ended = page.page.evaluate("""async () => {
      const { Reveal } = await import(document.querySelector("link[href$='reveal.js']").href);
      const reveal = new Reveal(() => { throw new Error("planted"); });
      reveal.add("text");
      await new Promise((resolve) => setTimeout(resolve, 100));
      const atOnce = new Reveal(() => { throw new Error("planted"); });
      atOnce.add("text");
      const ended = Promise.all([reveal.end(), atOnce.end({ atOnce: true })]).then(() => true);
      return Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 5000, false))]);
    }""")
    assert has_ended
    assert page.problems
    assert all("planted" in problem for problem in page.problems)
    page.problems.clear()


# Long answers.


def test_of_a_long_answer_only_the_last_block_is_rendered_again(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    lines = "".join(f"def function_{n}(value: int) -> str:\n    return 'text' * {n}\n" for n in range(800))
    code = f"```python\n{lines}```\n\n"
    text = code + "".join(f"Paragraph {n} with **bold** words and `code`.\n\n- one\n- two\n\n" for n in range(800))
    page.page.evaluate("""() => {
      window.rendered = 0;
      new MutationObserver((records) => {
        for (const { target, addedNodes } of records) {
          if (target.classList?.contains("text")) window.rendered += addedNodes.length;
        }
      }).observe(document.getElementById("conversation"), { childList: true, subtree: true });
    }""")
    page.ask(sim(tokens=[text[start : start + 120] for start in range(0, len(text), 120)], interval=0.005))
    page.page.locator(".text .hljs-keyword").first.wait_for(timeout=20_000)
    page.wait_for_words(len(code) + 500)
    page.page.evaluate("document.querySelector('.text > .code').marked = true")
    page.ended.wait_for(timeout=40_000)
    assert page.answer.locator("ul").count() == 800
    assert page.page.evaluate("document.querySelector('.text > .code').marked")
    blocks = page.page.evaluate("document.querySelector('.text').childNodes.length")
    assert page.page.evaluate("window.rendered") < 3 * blocks
