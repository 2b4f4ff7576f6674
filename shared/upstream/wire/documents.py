"""A complete answer, in JSON, where a stream was asked for: models that do not stream send it. -> the frames of a stream.

What it says becomes the events that clients of the stream read; nothing is added to it, and what is not known stays out.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from shared.errors import UpstreamMalformed
from shared.sse import DONE, write_frame
from shared.tolerant_json import loads
from shared.upstream.errors import error_from_event, read_error
from shared.upstream.wire.frames import NO_EXPLANATION, fields_of, items_of, text_of

_KEPT = frozenset({"id", "created", "model", "service_tier", "system_fingerprint"})
"""The fields of a completion that each of its chunks has too."""
_ENDED = ("completed", "incomplete", "failed", "cancelled")
"""The statuses of a response that has ended (`ResponseStatus` of the openai package); an event is named after each."""
_MALFORMED = "The upstream sent JSON that is no answer in place of a stream."


def frames_of_document(document: bytes) -> list[bytes]:
    """Return the frames of the stream that says the same.

    Raise `UpstreamErrorResponse` for an error, and `UpstreamMalformed` for what is neither.
    """
    try:
        value = fields_of(loads(document))
        if value.get("choices") is not None:
            return [*_chunks(value)]
        if value.get("object") == "response" or isinstance(value.get("output"), list):
            return [*_events(value)]
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(_MALFORMED) from error
    if value.get("error") or isinstance(value.get("message"), str):
        raise error_from_event(read_error(value, fallback=NO_EXPLANATION))
    raise UpstreamMalformed(_MALFORMED)


def _chunks(value: dict[str, Any]) -> Iterator[bytes]:
    """Yield a chunk for each choice, then the usage and `[DONE]`."""
    kept = {name: field for name, field in value.items() if name in _KEPT}
    for choice in items_of(value["choices"]):
        is_chat = isinstance(choice.get("message"), dict)
        said = {"delta": _delta(choice["message"])} if is_chat else {"text": choice.get("text")}
        rest = {name: field for name, field in choice.items() if name not in ("message", "text")}
        yield _frame(
            {**kept, "object": "chat.completion.chunk" if is_chat else "text_completion", "choices": [rest | said]}
        )
    if value.get("usage"):
        yield _frame({**kept, "object": "chat.completion.chunk", "choices": [], "usage": value["usage"]})
    yield write_frame(DONE)


def _delta(message: dict[str, Any]) -> dict[str, Any]:
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [{"index": index, **call} for index, call in enumerate(items_of(calls))]}


def _events(value: dict[str, Any]) -> Iterator[bytes]:
    """Yield the events of a response: how it begins, each item with its texts, how it ends."""
    begun = {**value, "status": "in_progress", "output": [], "usage": None}
    told: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": begun})]
    for number, item in enumerate(items_of(value.get("output"))):
        place = {"output_index": number}
        told.append(
            ("response.output_item.added", {**place, "item": {**item, "content": []} if "content" in item else item})
        )
        if item.get("type") == "message":
            told += _texts(item, place)
        told.append(("response.output_item.done", {**place, "item": item}))
    if (status := value.get("status")) in _ENDED:  # else the model has not ended it, and the stream is cut
        told.append((f"response.{status}", {"response": value}))
    for number, (kind, fields) in enumerate(told):
        yield _frame({"type": kind, "sequence_number": number, **fields}, event=kind.encode())


def _texts(item: dict[str, Any], place: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for index, part in enumerate(items_of(item.get("content"))):
        here = {**place, "item_id": item.get("id"), "content_index": index}
        name = "refusal" if part.get("type") == "refusal" else "text"
        kind = "response.refusal" if name == "refusal" else "response.output_text"
        yield "response.content_part.added", {**here, "part": {**part, name: ""}}
        yield f"{kind}.delta", {**here, "delta": text_of(part.get(name))}
        yield f"{kind}.done", {**here, name: text_of(part.get(name))}
        yield "response.content_part.done", {**here, "part": part}


def _frame(value: dict[str, Any], *, event: bytes = b"") -> bytes:
    return write_frame(msgspec.json.encode(value), event=event)
