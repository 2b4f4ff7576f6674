"""The chat API reads a Responses stream right: parts apart, commentary apart, text that comes without deltas, each once."""

import json
from typing import Any

import pytest

from shared.chat.dialects import DIALECTS
from shared.chat.dialects import parts as parts_module
from shared.events import AnswerEvent, Citation, Delta, Finished, Reasoning
from shared.upstream.wire.responses import ContentEvent, Item
from tests.harness.app import ask_in
from tests.harness.cells import cells
from tests.harness.frames import data
from tests.harness.upstream import EVENT_STREAM, Play
from tests.worker.ways import COLLECTED, STREAMS, WAYS

CHAT_WAYS = [name for name in [*STREAMS, *COLLECTED] if WAYS[name].path.startswith(("/chat", "/stream"))]
CREATED = ("response.created", {"response": {"id": "r", "model": "m"}})
type Told = tuple[str, dict[str, Any]]


def frames(*told: Told) -> list[bytes]:
    return [data({"type": kind, "sequence_number": n, **fields}, kind) for n, (kind, fields) in enumerate(told)]


def events_of(*told: Told) -> list[AnswerEvent]:
    decoder = DIALECTS["responses"].new_decoder()
    return [event for kind, fields in told for event in decoder.decode(json.dumps({"type": kind, **fields}).encode())]


def text_of(kind: type[Delta | Reasoning], events: list[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def summary(item: str, index: int, text: str, **more: Any) -> Told:
    return "response.reasoning_summary_text.delta", {"item_id": item, "summary_index": index, "delta": text, **more}


def word(item: str, text: str, index: int = 0, **more: Any) -> Told:
    return "response.output_text.delta", {"item_id": item, "content_index": index, "delta": text, **more}


THOUGHTS = [
    ("response.reasoning_summary_part.added", {"item_id": "rs_1", "summary_index": 0}),
    summary("rs_1", 0, "**First"),
    summary("rs_1", 0, " step**"),
    ("response.reasoning_summary_part.added", {"item_id": "rs_1", "summary_index": 1}),
    summary("rs_1", 1, "**Second**"),
    summary("rs_2", 0, "**Third**"),
]
COMPLETED = ("response.completed", {"response": {"id": "r"}})


@cells("way", CHAT_WAYS)
def test_parts_and_items_of_reasoning_have_a_blank_line_between_them_and_nothing_within(way: str) -> None:
    answer = Play(body=frames(CREATED, *THOUGHTS, word("msg_1", "Hello"), COMPLETED), headers=EVENT_STREAM)
    outcome, _, received = ask_in(way, [answer], AZURE_OPENAI_API="responses")
    assert (outcome.kind, outcome.words) == ("finished", "Hello")
    if way != "chat text":  # which shows no reasoning
        shown = received.body.decode()
        pieces = ["**First", " step**", r"\n\n**Second**", r"\n\n**Third**"]
        places = [shown.find(piece) for piece in pieces]
        assert -1 not in places
        assert places == sorted(places)
        assert shown.count(r"\n\n") == 2


def test_the_number_of_an_item_counts_where_its_id_changes_with_each_event() -> None:
    told = [summary(f"rs_{n}", 0, f"{n} ", output_index=0) for n in range(3)]
    assert text_of(Reasoning, events_of(*told, summary("x", 0, "3", output_index=1))) == "0 1 2 \n\n3"


def test_raw_reasoning_and_its_summary_are_two_parts() -> None:
    raw = ("response.reasoning_text.delta", {"item_id": "rs_1", "content_index": 0, "delta": "raw"})
    assert text_of(Reasoning, events_of(summary("rs_1", 0, "short"), raw)) == "short\n\nraw"


def added(item: str, **more: Any) -> Told:
    return "response.output_item.added", {"output_index": 0, "item": {"type": "message", "id": item, **more}}


def test_commentary_is_apart_from_the_answer() -> None:
    told = events_of(
        added("m1", phase="commentary"), word("m1", "I look", output_index=0), word("m1", " it up.", output_index=0),
        ("response.output_item.done", {"output_index": 0, "item": {"type": "message", "id": "m1", "phase": "commentary",
            "content": [{"type": "output_text", "text": "I look it up."}]}}),
        ("response.output_item.added", {"output_index": 1, "item": {"type": "message", "id": "m2", "phase": "final_answer"}}),
        word("m2", "It is 4.", output_index=1), COMPLETED,
    )  # fmt: skip
    assert (text_of(Reasoning, told), text_of(Delta, told)) == ("I look it up.", "It is 4.")


def test_two_messages_have_a_blank_line_between_them_and_citations_count_it() -> None:
    cited = {"type": "url_citation", "url": "https://a.example/", "title": "A", "start_index": 0, "end_index": 2}
    told = events_of(
        word("m1", "One.", output_index=0),
        ("response.output_text.done", {"item_id": "m1", "output_index": 0, "content_index": 0, "text": "One."}),
        word("m2", "Two.", output_index=1),
        ("response.output_text.annotation.added", {"item_id": "m2", "output_index": 1, "annotation": cited}),
    )
    text = text_of(Delta, told)
    (citation,) = [event for event in told if isinstance(event, Citation)]
    assert (text, text[citation.start : citation.end]) == ("One.\n\nTwo.", "Tw")


def test_the_parts_of_one_message_are_one_text() -> None:
    assert text_of(Delta, events_of(word("m1", "One "), word("m1", "text.", index=1))) == "One text."


MESSAGE = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello there"}]}
PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
WITHOUT_DELTAS: dict[str, list[Told]] = {
    "the text": [("response.output_text.done", {**PLACE, "text": "Hello there"})],
    "the text, by the item's id alone": [("response.output_text.done", {"item_id": "msg_1", "text": "Hello there"})],
    "the text, without a place": [("response.output_text.done", {"text": "Hello there"})],
    "a refusal": [("response.refusal.done", {**PLACE, "refusal": "Hello there"})],
    "the part": [("response.content_part.done", {**PLACE, "part": {"type": "output_text", "text": "Hello there"}})],
    "the item": [("response.output_item.done", {"output_index": 0, "item": MESSAGE})],
    "the response": [("response.completed", {"response": {"id": "r", "output": [MESSAGE]}})],
    "all of them": [
        ("response.output_text.done", {"item_id": "msg_1", "text": "Hello there"}),
        ("response.content_part.done", {**PLACE, "part": {"type": "output_text", "text": "Hello there"}}),
        ("response.output_item.done", {"output_index": 0, "item": MESSAGE}),
        ("response.completed", {"response": {"id": "r", "output": [MESSAGE]}}),
    ],
}


@cells("told", WITHOUT_DELTAS.values(), ids=WITHOUT_DELTAS)
@cells("way", CHAT_WAYS)
def test_a_text_that_comes_without_deltas_is_there_once(way: str, told: list[Told]) -> None:
    ending = [] if told[-1][0] == "response.completed" else [COMPLETED]
    answer = Play(body=frames(CREATED, added("msg_1"), *told, *ending), headers=EVENT_STREAM)
    outcome, _, _ = ask_in(way, [answer], AZURE_OPENAI_API="responses")
    assert (outcome.kind, outcome.words) == ("finished", "Hello there")


@cells("told", WITHOUT_DELTAS.values(), ids=WITHOUT_DELTAS)
@cells("place", [PLACE, {"item_id": "msg_1"}, {"output_index": 0}, {}], ids=str)
def test_a_text_that_came_in_deltas_is_there_once_too(place: dict[str, Any], told: list[Told]) -> None:
    delta = ("response.output_text.delta", {**place, "delta": "Hello there"})
    if place == {"output_index": 0}:  # and nothing else may name the item by its id alone
        told = [(kind, {"output_index": 0, **fields}) for kind, fields in told]
    assert text_of(Delta, events_of(delta, *told)) == "Hello there"


@cells(
    "told",
    [
        ("response.reasoning_summary_text.done", {"item_id": "rs_1", "summary_index": 0, "text": "Hm."}),
        ("response.reasoning_summary_part.done", {"item_id": "rs_1", "summary_index": 0, "part": {"text": "Hm."}}),
        ("response.reasoning_text.done", {"item_id": "rs_1", "content_index": 0, "text": "Hm."}),
        ("response.output_item.done", {"item": {"type": "reasoning", "id": "rs_1", "summary": [{"text": "Hm."}]}}),
        ("response.completed", {"response": {"output": [{"type": "reasoning", "content": [{"text": "Hm."}]}]}}),
    ],
)
def test_reasoning_without_deltas_is_there_once(told: Told) -> None:
    assert text_of(Reasoning, events_of(told)) == "Hm."
    assert text_of(Reasoning, events_of(summary("rs_1", 0, "Hm."), told)).startswith("Hm.")


def test_an_incomplete_answer_without_deltas_has_its_text_and_its_reason() -> None:
    told = ("response.incomplete", {"response": {"output": [MESSAGE], "incomplete_details": {"reason": "new"}}})
    events = events_of(told)
    assert (text_of(Delta, events), events[-1]) == ("Hello there", Finished("other"))


@cells("odd", [5, "x", [5], [{"text": 5}], {"a": 1}])
def test_an_odd_part_costs_only_itself(odd: Any) -> None:
    item = {"type": "message", "id": "m", "content": odd}
    told: list[Told] = [
        ("response.content_part.done", {**PLACE, "part": odd}),
        ("response.output_item.done", {"item": item}),
        ("response.completed", {"response": {"output": odd}}),
    ]
    assert text_of(Delta, events_of(*told, word("m2", "Hi"))) in ("Hi", "5Hi", "5\n\nHi")


def test_what_is_kept_of_an_answer_without_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts_module, "MAX_PARTS", 8)
    parts = parts_module.Parts(end_text=lambda _: None)
    for number in range(100):
        event = ContentEvent(output_index=number, item_id=f"m{number}", delta="x")
        event.item = Item(type="message", id=f"m{number}", phase="commentary")
        parts.begin(event)
        parts.say(parts_module.CONTENT, event, "x")
    sizes = [len(kept) for kept in (parts._said, parts._items, parts._commentary)]
    assert max(sizes) <= 2 * 8 + 2
