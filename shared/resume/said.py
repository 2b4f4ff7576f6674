"""What of one response has been passed on, in numbers; and with it, what of the complete response is still to be said. Pure.

A response can be read whole long after its stream can be taken up no more. Then its missing events are written from its
`output`: https://platform.openai.com/docs/api-reference/responses-streaming has their order.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from shared.sse import write_frame
from shared.upstream.wire.frames import text_of
from shared.upstream.wire.responses import ContentEvent

MAX_PLACES = 8192
"""Of one response. Beyond them, what is missing can no longer be told."""

_ITEM = -1
"""The index of an item itself, among those of its parts."""
_SUMMARY = "summary"
_ARGUMENTS = "arguments"
_CONTENT = "content"

_DELTAS = {
    "response.output_text.delta": _CONTENT,
    "response.refusal.delta": _CONTENT,
    "response.reasoning_text.delta": _CONTENT,
    "response.reasoning_summary_text.delta": _SUMMARY,
    "response.function_call_arguments.delta": _ARGUMENTS,
}
_ONCE = {
    "response.output_item.added": _CONTENT,
    "response.output_item.done": _CONTENT,
    "response.content_part.added": _CONTENT,
    "response.content_part.done": _CONTENT,
    "response.output_text.done": _CONTENT,
    "response.refusal.done": _CONTENT,
    "response.reasoning_text.done": _CONTENT,
    "response.reasoning_summary_part.added": _SUMMARY,
    "response.reasoning_summary_part.done": _SUMMARY,
    "response.reasoning_summary_text.done": _SUMMARY,
    "response.function_call_arguments.done": _ARGUMENTS,
}
_ANNOTATION = "response.output_text.annotation.added"
_TEXTS = {
    "output_text": ("text", "output_text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("text", "reasoning_text"),
}
"""The parts of a content that are text: the field that holds it, and what its events are called."""

_HALF = "\ufffd"
"""What half a character is read as, where it is split between two events: counting characters would mislead."""

type _Place = tuple[int, str, int]
"""The number of an item, the list that a part of it is in, and the part's number there."""
type _Event = tuple[str, dict[str, Any]]


class Unknown(Exception):
    """What is missing cannot be told without saying something twice."""


class Said:
    """The events of one response that have been passed on, as far as another one could repeat them."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._characters: Counter[_Place] = Counter()
        self._annotations: Counter[_Place] = Counter()
        self._once: set[tuple[str, _Place]] = set()
        self._is_known = True

    def note(self, event: ContentEvent) -> None:
        """Take the next event that is passed on."""
        kind = _DELTAS.get(event.type)
        if kind is not None:
            text = text_of(event.delta)
            self._characters[self._place(event, kind)] += len(text)
            self._is_known = self._is_known and _HALF not in text
        elif event.type in _ONCE:
            self._once.add((event.type, self._place(event, _ONCE[event.type])))
        elif event.type == _ANNOTATION:
            self._annotations[self._place(event, _CONTENT)] += 1

    def missing(self, response: dict[str, Any], *, number: int) -> list[bytes]:
        """Return the frames that are missing of a response that has ended, counted from `number`.

        Raise `Unknown` where something that was passed on cannot be found in it.
        """
        if not self._is_known:
            raise Unknown
        events = list(self._events(response))
        return [
            write_frame(_json({"type": kind, "sequence_number": number + index, **fields}), event=kind.encode())
            for index, (kind, fields) in enumerate(events)
        ]

    def _place(self, event: ContentEvent, kind: str) -> _Place:
        if event.output_index is None or len(self._once) + len(self._characters) >= MAX_PLACES:
            self._is_known = False
        is_item = event.type.startswith("response.output_item.")
        index = _ITEM if is_item else event.summary_index if kind == _SUMMARY else event.content_index
        return event.output_index or 0, kind, index or 0

    def _events(self, response: dict[str, Any]) -> Iterator[_Event]:
        for number, item in enumerate(response.get("output") or []):
            yield from self._item(number, item)
        yield f"response.{response['status']}", {"response": response}

    def _item(self, number: int, item: dict[str, Any]) -> Iterator[_Event]:
        at, place = {"output_index": number}, (number, _CONTENT, _ITEM)
        if self._has("response.output_item.done", place):
            return
        if not self._has("response.output_item.added", place):
            emptied = {name: _emptied(value) if name in _EMPTIED else value for name, value in item.items()}
            status = {"status": "in_progress"} if "status" in item else {}
            yield "response.output_item.added", {**at, "item": {**emptied, **status}}
        named = {**at, "item_id": item.get("id")}
        if isinstance(item.get(_ARGUMENTS), str) and item.get("type") == "function_call":
            yield from self._text(
                (number, _ARGUMENTS, 0), "function_call_arguments", _ARGUMENTS, item[_ARGUMENTS], named
            )
        for index, part in enumerate(item.get(_SUMMARY) or []):
            yield from self._part((number, _SUMMARY, index), part, {**named, "summary_index": index})
        content = item.get(_CONTENT)
        for index, part in enumerate(content if isinstance(content, list) else []):
            yield from self._part((number, _CONTENT, index), part, {**named, "content_index": index})
        yield "response.output_item.done", {**at, "item": item}

    def _part(self, place: _Place, part: dict[str, Any], at: dict[str, Any]) -> Iterator[_Event]:
        is_summary = place[1] == _SUMMARY
        name = "reasoning_summary_part" if is_summary else "content_part"
        field, kind = ("text", "reasoning_summary_text") if is_summary else _TEXTS.get(str(part.get("type")), ("", ""))
        if not self._has(f"response.{name}.added", place):
            yield f"response.{name}.added", {**at, "part": {**part, **({field: ""} if field else {})}}
        if field:
            yield from self._text(place, kind, field, str(part.get(field) or ""), at)
        for index, annotation in enumerate(part.get("annotations") or []):
            if index >= self._annotations[place]:
                yield _ANNOTATION, {**at, "annotation_index": index, "annotation": annotation}
        if not self._has(f"response.{name}.done", place):
            yield f"response.{name}.done", {**at, "part": part}

    def _text(self, place: _Place, kind: str, field: str, text: str, at: dict[str, Any]) -> Iterator[_Event]:
        said = self._characters[place]
        if said > len(text):
            raise Unknown
        if rest := text[said:]:
            yield f"response.{kind}.delta", {**at, "delta": rest}
        if not self._has(f"response.{kind}.done", place):
            yield f"response.{kind}.done", {**at, field: text}

    def _has(self, kind: str, place: _Place) -> bool:
        return (kind, place) in self._once


_EMPTIED = frozenset({_CONTENT, _SUMMARY, _ARGUMENTS})
"""What an item has nothing of when it begins."""


def _emptied(value: Any) -> Any:
    return [] if isinstance(value, list) else "" if isinstance(value, str) else value


def _json(value: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        raise Unknown from None
