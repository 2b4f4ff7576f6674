"""What a terminal shows of a search: dimmed steps, and a numbered list of sources that hides no address."""

import io
from typing import Any

from rich.console import Console

from client.formats import Event
from client.grounding import Grounding
from client.screens import LiveText, PlainText


def step(name: str, status: str, **detail: Any) -> Event:
    return {"type": "step", "name": name, "status": status, **({"detail": detail} if detail else {})}


def source(number: str, title: str, url: str = "") -> Event:
    return {"type": "source", "id": number, "title": title, "url": url, "excerpt": ""}


def noted(*events: Event) -> Grounding:
    grounding = Grounding()
    for event in events:
        grounding.note(event)
    return grounding


def test_the_steps_are_one_line_with_the_last_state_of_each() -> None:
    found = noted(
        step("search-query", "started"),
        step("search-query", "finished", query="what\nwaits"),
        step("search", "finished", count=2, milliseconds=143),
        step("web_search", "searching"),
    )
    assert found.steps() == (
        "search-query: finished “what waits” · search: finished, 2 passages, 143 ms · web search: searching"
    )
    assert noted(step("s", "x", query="q" * 100, count=1)).steps() == f"s: x “{'q' * 60}…”, 1 passage"
    assert noted().steps() == ""


def test_sources_have_the_numbers_of_the_answer_and_their_addresses_in_view() -> None:
    found = noted(
        source("1", "Guide", "https://x/a"), source("2", " A \n title "), source("tool-1", "Web", "https://y")
    )
    assert found.sources() == ["[1] Guide  https://x/a", "[2] A title", "[3] Web  https://y"]


def test_a_terminal_shows_them_around_the_answer_without_what_could_control_it() -> None:
    out = io.StringIO()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    with LiveText(console) as screen:
        screen.show(step("search", "finished", count=1, milliseconds=5))
        screen.show(source("1", "Guide\x1b]0;owned\x07", "https://x/\u202ea"))
        screen.show({"type": "delta", "text": "It waits [1]."})
        screen.show({"type": "citation", "source": "1", "start": 9, "end": 12})
    text = out.getvalue()
    assert text.index("search: finished, 1 passage, 5 ms") < text.index("It waits [1].") < text.index("[1] Guide")
    assert "https://x/a" in text
    assert "\x1b]" not in text


def test_a_pipe_gets_the_words_alone() -> None:
    out = io.StringIO()
    with PlainText(out) as screen:
        for event in (step("search", "finished", count=1), source("1", "Guide"), {"type": "delta", "text": "It [1]."}):
            screen.show(event)
    assert out.getvalue() == "It [1].\n"
