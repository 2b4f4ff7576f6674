"""The one JSON object: what it says of steps, sources and citations, and what it leaves out."""

import json
from typing import Any

from shared.chat.encoders.json import JsonEncoder
from shared.chat.encoders.step_list import StepList
from shared.events import AnswerEvent, Citation, Delta, Finished, Source, Started, Step
from tests.harness.cells import cells


def answer(*events: AnswerEvent) -> Any:
    return json.loads(JsonEncoder().encode([Started("a1", "m"), *events, Finished("stop")]))


def test_an_answer_without_a_search_says_nothing_of_one() -> None:
    assert answer(Delta("a")) == {"id": "a1", "model": "m", "text": "a", "finish_reason": "stop"}


def test_steps_sources_and_citations_are_lists_of_the_object() -> None:
    found = answer(
        Step("search", "started"),
        Source("1", "A", "https://x/a", "words"),
        Step("search", "finished", {"count": 1}),
        Delta("a [1]"),
        Citation("1", 2, 5),
    )
    assert found["steps"] == [{"name": "search", "status": "finished", "detail": {"count": 1}}]
    assert found["sources"] == [{"id": "1", "title": "A", "url": "https://x/a", "excerpt": "words"}]
    assert found["citations"] == [{"source": "1", "start": 2, "end": 5}]


@cells("ended", ["finished", "completed", "failed"])
def test_a_step_has_its_last_status_until_another_of_its_name_begins(ended: str) -> None:
    steps = StepList()
    for status in ("in_progress", "searching", ended, "in_progress"):
        steps.note(Step("web_search", status))
    assert [step["status"] for step in steps.steps] == [ended, "in_progress"]


def test_what_is_learnt_of_a_step_after_its_end_is_added_to_it() -> None:
    steps = StepList()
    steps.note(Step("web_search", "completed"))
    steps.note(Step("web_search", "completed", {"query": "q"}))
    assert steps.steps == [{"name": "web_search", "status": "completed", "detail": {"query": "q"}}]
