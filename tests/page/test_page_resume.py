"""The page comes back by itself: after a broken connection, after a reload; and Stop stops the model."""

import json
from typing import Any

import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.cutting_proxy import CuttingProxy
from tests.page.conftest import OpenPage

pytestmark = pytest.mark.browser

WORDS = [f"wörd{number} " for number in range(16)]


def sim(**behaviour: Any) -> str:
    return f"hi [[sim {json.dumps(behaviour)}]]"


def test_a_broken_connection_is_shown_and_no_word_is_lost_or_doubled(
    open_page: OpenPage, resuming: App, simulator: Simulator
) -> None:
    with CuttingProxy(resuming.url, "wörd3 ".encode()) as proxy:
        page = open_page(url=proxy.url, reduced_motion="no-preference")
        page.ask(sim(tokens=WORDS, interval=0.15))
        page.page.locator(".progress", has_text="Reconnecting").wait_for()
        page.wait_for_end()
        assert page.text.split() == [word.strip() for word in WORDS]
        assert proxy.cuts == 0
    assert page.page.locator(".failure").count() == 0


def test_a_reload_in_mid_answer_goes_on_and_asks_nothing(
    open_page: OpenPage, resuming: App, simulator: Simulator
) -> None:
    page = open_page(url=resuming.url, reduced_motion="no-preference")
    page.ask(sim(tokens=WORDS, interval=0.15))
    page.wait_for_text("wörd3")
    page.page.reload()  # a dialog would be dismissed, and the reload with it
    page.wait_for_end()
    assert page.text.split() == [word.strip() for word in WORDS]
    assert len(simulator.requests(method="POST")) == 1
    page.page.reload()
    page.wait_for_end()
    assert page.text.split() == [word.strip() for word in WORDS]
    assert sum("/chat/answers/" in url for url in page.requested) == 1


def test_stop_ends_the_answer_at_the_model(open_page: OpenPage, resuming: App, simulator: Simulator) -> None:
    page = open_page(url=resuming.url)
    page.ask(sim(tokens=400, interval=0.1))
    page.wait_for_words(3)
    page.page.get_by_role("button", name="Stop").click()
    assert simulator.wait_for(path="/cancel", ended="complete")["status"] == 200
    page.wait_for_end()


def test_an_answer_that_is_gone_when_the_page_comes_back_keeps_its_words_and_says_so(
    open_page: OpenPage, resuming: App, simulator: Simulator
) -> None:
    page = open_page(url=resuming.url)
    page.ask(sim(tokens=WORDS * 20, interval=0.1))
    page.wait_for_text("wörd2")
    page.page.route("**/chat/answers/**", lambda route: route.fulfill(status=404, json={"error": {"message": "gone"}}))
    page.page.reload()
    page.page.locator(".failure").wait_for()
    assert "wörd2" in page.text


EVENT_SOURCE = """(id) => new Promise((resolve, reject) => {
  const source = new EventSource(`/chat/answers/${id}`);
  let text = "";
  let connections = 0;
  source.onopen = () => { connections += 1; };
  source.addEventListener("delta", (event) => { text += JSON.parse(event.data).text; });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) resolve([text, connections]);
  };
  setTimeout(() => reject(new Error(`still open after ${text}`)), 20000);
})"""


def test_a_browsers_event_source_renews_its_position_and_is_ended_by_the_204(
    open_page: OpenPage, resuming: App, simulator: Simulator
) -> None:
    simulator.behave({"tokens": WORDS, "interval": 0.3})
    with resuming.probe({"input": "hi", "resume": True}) as probe:
        answer_id = probe.read_until(b"delta").split(b"x-answer-id: ")[1].split(b"\r\n")[0].decode()
    with CuttingProxy(resuming.url, "wörd3 ".encode()) as proxy:
        page = open_page(url=proxy.url)
        text, connections = page.page.evaluate(EVENT_SOURCE, answer_id)
        assert (text, connections, proxy.cuts) == ("".join(WORDS), 2, 0)
