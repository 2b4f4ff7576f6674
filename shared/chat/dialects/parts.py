"""The texts of a Responses answer: each said once, apart from its neighbours, and commentary apart from the answer.

An answer is a list of items, each with numbered parts: of the answer's text, of a commentary, of a reasoning. A part comes in
deltas, or only once it is complete: with its own event, its item or the response.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.events import Delta, Reasoning
from shared.upstream.wire.frames import text_of
from shared.upstream.wire.responses import ContentEvent, Item

BLANK_LINE = "\n\n"
MAX_PARTS = 4096
"""Of one answer. Beyond them, only deltas are read."""

CONTENT, SUMMARY, THOUGHT = "content", "summary", "thought"
"""The lists of parts that an item can have."""

DELTAS = {
    "response.output_text.delta": CONTENT,
    "response.refusal.delta": CONTENT,
    "response.reasoning_summary_text.delta": SUMMARY,
    "response.reasoning_text.delta": THOUGHT,
}
TEXTS_DONE = {
    "response.output_text.done": CONTENT,
    "response.refusal.done": CONTENT,
    "response.reasoning_summary_text.done": SUMMARY,
    "response.reasoning_text.done": THOUGHT,
}
PARTS_DONE = {
    "response.content_part.done": CONTENT,
    "response.reasoning_summary_part.done": SUMMARY,
}

type _Name = int | str | None
"""An item's number, or its id where an event has no number: some gateways give an item a new id with each event."""
type _Place = tuple[_Name, str, int]
"""A part's item, the list that it is in, and its number there."""


class Parts:
    """What of one answer has been said. `end_text` is told each piece of the answer's text once it is complete."""

    def __init__(self, *, end_text: Callable[[str], None]) -> None:
        """Begin with nothing said."""
        self._end_text = end_text
        self._said: set[_Place] = set()
        self._items: set[_Name] = set()
        """The items of which a part has been said, by all of their names."""
        self._commentary: set[_Name] = set()
        self._last: _Place | None = None
        self._is_answer = False
        """Whether the last part is one of the answer, and not of a reasoning or a commentary."""
        self._answer: _Place | None = None
        self._thought: _Place | None = None
        """The last part of each sort."""

    def begin(self, event: ContentEvent) -> None:
        """Note that an item begins: a message may be commentary."""
        if event.item is not None:
            self._note_phase(event.item, event.output_index)

    def say(self, kind: str, event: ContentEvent, text: str) -> Delta | Reasoning:
        """Return what a delta says."""
        return self._say(_place(kind, event), event.item_id, text)

    def complete_text(self, kind: str, event: ContentEvent, text: str) -> list[Delta | Reasoning]:
        """Return what the text of a part says that is complete now; nothing where its deltas have said it."""
        place = _place(kind, event)
        said = [] if not text or self._has_said(place, event.item_id) else [self._say(place, event.item_id, text)]
        if self._is_of_answer(place):
            self._end_text(text)
        return said

    def complete_part(self, kind: str, event: ContentEvent) -> list[Delta | Reasoning]:
        """Return what a complete part says; nothing where it has been said."""
        place, text = _place(kind, event), text_of_part(event.part)
        return (
            [] if not text or self._has_said(place, event.item_id) else [self._say_at_once(place, event.item_id, text)]
        )

    def complete_item(self, item: Item, number: int | None) -> list[Delta | Reasoning]:
        """Return what a complete item says; nothing where one of its parts has been said."""
        self._note_phase(item, number)
        name = item.id if number is None else number
        if {name, item.id, None} & self._items or len(self._said) >= MAX_PARTS:
            return []
        return [self._say_at_once((name, kind, index), item.id, text) for kind, index, text in _texts_of(item)]

    def complete_answer(self, items: list[Item]) -> list[Delta | Reasoning]:
        """Return what a complete answer says, as far as nothing of that sort has been said."""
        said = {"message": self._answer is not None, "reasoning": self._thought is not None}
        left = [(number, item) for number, item in enumerate(items) if not said.get(item.type or "", True)]
        return [event for number, item in left for event in self.complete_item(item, number)]

    def _note_phase(self, item: Item, number: int | None) -> None:
        if item.phase == "commentary" and len(self._commentary) < MAX_PARTS:
            self._commentary |= {item.id, number} - {None}

    def _has_said(self, place: _Place, item_id: str | None) -> bool:
        if None in self._items or (place[0] is None and self._items):  # which part it is cannot be known
            return True
        return not self._said.isdisjoint({place, (item_id, *place[1:])}) or len(self._said) >= MAX_PARTS

    def _say(self, place: _Place, item_id: str | None, text: str) -> Delta | Reasoning:
        if place != self._last:
            text = self._enter(place, item_id) + text
        return Delta(text) if self._is_answer else Reasoning(text)

    def _say_at_once(self, place: _Place, item_id: str | None, text: str) -> Delta | Reasoning:
        said = self._say(place, item_id, text)
        if self._is_answer:
            self._end_text(text)
        return said

    def _is_of_answer(self, place: _Place) -> bool:
        return place[1] == CONTENT and place[0] not in self._commentary

    def _enter(self, place: _Place, item_id: str | None) -> str:
        """Begin with another part; return what separates it from the one before."""
        self._last = place
        name = place[0]
        if len(self._said) < MAX_PARTS:
            self._said |= {place, (item_id, *place[1:])}
            self._items |= {name, name if item_id is None else item_id}
        self._is_answer = self._is_of_answer(place)
        if self._is_answer:
            before, self._answer = self._answer, place
            if before is None or before[0] == name:
                return ""
            self._end_text(BLANK_LINE)
            return BLANK_LINE
        before, self._thought = self._thought, place
        return BLANK_LINE if before is not None and before != place else ""


def _place(kind: str, event: ContentEvent) -> _Place:
    index = event.summary_index if kind == SUMMARY else event.content_index
    return event.item_id if event.output_index is None else event.output_index, kind, index or 0


def _texts_of(item: Item) -> Iterator[tuple[str, int, str]]:
    """Yield the list, the number and the text of each part of a complete item that has any."""
    lists = {"message": [(CONTENT, item.content)], "reasoning": [(SUMMARY, item.summary), (THOUGHT, item.content)]}
    for kind, parts in lists.get(item.type or "", []):
        for index, part in enumerate(parts if isinstance(parts, list) else []):
            if text := text_of_part(part):
                yield kind, index, text


def text_of_part(part: Any) -> str:
    """Return the text of a complete part; '' where it has none."""
    fields: Mapping[str, Any] = part if isinstance(part, dict) else {}
    return text_of(fields.get("text")) or text_of(fields.get("refusal"))
