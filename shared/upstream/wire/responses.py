"""The events of the Responses API, https://platform.openai.com/docs/api-reference/responses-streaming, as Azure sends them.

A response fails in two events, `response.failed` and `error`. They come in either order, or one alone, and either may be
the one that explains. `Failure` holds that handshake. `response.cancelled` ends a response too, and without an error of its
own no client takes it for a failure: the openai package passes it on, and its stream ends as if the answer were complete.
"""

from typing import Any

import msgspec

from shared.errors import ErrorObject
from shared.upstream.errors import read_error
from shared.upstream.wire.frames import (
    NO_EXPLANATION,
    FrameKind,
    frame_decoder,
    integer_or_none,
    object_or_none,
    string_or_none,
)
from shared.upstream.wire.usage import ResponseUsage, read_response_usage

PREAMBLE = frozenset(
    {
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_summary_part.added",
        "keepalive",
    }
)
"""The events that may come before the model says anything."""


def is_preamble(kind: str) -> bool:
    """Return whether an event of this type says nothing of the model's. One that is not the API's own is a gateway's."""
    return kind in PREAMBLE or not kind.startswith("response.")


ENDINGS = frozenset({"response.completed", "response.incomplete"})
"""The events with which the model ends an answer."""

_FAILED, _CANCELLED = "response.failed", "response.cancelled"
_CANCELLATION = "The response was cancelled."


class IncompleteDetails(msgspec.Struct):
    """Why a response is incomplete: `max_output_tokens` or `content_filter`."""

    reason: str | None = None


class Response(msgspec.Struct):
    """The response that some events carry, as far as it is looked at."""

    id: str | None = None
    model: str | None = None
    created_at: Any = None
    usage: ResponseUsage | None = None
    error: Any = None
    incomplete_details: IncompleteDetails | None = None


class Item(msgspec.Struct):
    """An output item; `type` is `message`, `function_call` and others.

    `phase` is that of a message, `content` its parts; `summary` those of a reasoning; `action` and `queries` are a search's.
    """

    type: str | None = None
    id: str | None = None
    phase: Any = None
    content: Any = None
    summary: Any = None
    status: Any = None
    action: Any = None
    queries: Any = None


class CompleteResponse(Response):
    """The same with what it says."""

    output: list[Item] | None = None


class ResponseEvent(msgspec.Struct):
    """As much of any event as says where the answer stands: how it began, ended or failed.

    An `error` event has `code`, `message` and `param` of its own, as documented, or within `error`, as Azure sends it.
    """

    type: str = ""
    sequence_number: int | None = None
    response: Response | None = None
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


class ContentEvent(ResponseEvent):
    """The same with what the model says.

    `item` is the output item that begins or ends. `item_id`, `output_index` and the two numbers say which part of which item
    the event is about; `text`, `refusal` and `part` are the part once it is complete.
    """

    response: CompleteResponse | None = None
    delta: Any = None
    item: Item | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    text: Any = None
    refusal: Any = None
    part: Any = None
    annotation: Any = None


class Failure:
    """The failure of one answer, as far as its events have said. One per answer."""

    def __init__(self) -> None:
        """Begin with an answer that has not failed."""
        self.error: ErrorObject | None = None
        """What is known of the failure; None until one is announced."""
        self.is_explained = False
        """No later event can add to `error`."""
        self.is_terminal = False
        """The API's own terminal event has come, after which its clients expect nothing more."""
        self.is_shown = False
        """An event has come that clients take for a failure."""

    def read(self, event: ResponseEvent) -> FrameKind | None:
        """Take the next event: return FAILURE_ANNOUNCED for the first of the two, FAILURE for the second, else None."""
        if event.type == "error":
            self.is_shown = True
            flat = {"code": event.code, "message": event.message, "param": event.param}
            return self._note(event.error or flat, is_explained=True)
        if event.type in (_FAILED, _CANCELLED):
            is_cancelled = event.type == _CANCELLED
            explanation = (event.response.error or None) if event.response else None
            if not is_cancelled or explanation is not None:
                self.is_shown = self.is_terminal = True
            fallback = _CANCELLATION if is_cancelled else NO_EXPLANATION
            return self._note(explanation, is_explained=explanation is not None, fallback=fallback)
        return None

    def _note(self, explanation: Any, *, is_explained: bool, fallback: str = NO_EXPLANATION) -> FrameKind:
        kind = FrameKind.FAILURE_ANNOUNCED if self.error is None else FrameKind.FAILURE
        if is_explained or self.error is None:
            self.error = read_error(explanation or {}, fallback=fallback)
        self.is_explained = self.is_explained or is_explained
        return kind


def _read_event(fields: dict[str, Any]) -> ContentEvent:
    item = object_or_none(fields.get("item"))
    kind = fields.get("type", "")
    if not isinstance(kind, str):
        raise ValueError("the type is not a string")
    return ContentEvent(
        type=kind,
        sequence_number=integer_or_none(fields.get("sequence_number")),
        response=_read_response(fields.get("response")),
        error=fields.get("error"),
        code=fields.get("code"),
        message=fields.get("message"),
        param=fields.get("param"),
        delta=fields.get("delta"),
        item=None if item is None else _read_item(item),
        item_id=string_or_none(fields.get("item_id")),
        output_index=integer_or_none(fields.get("output_index")),
        content_index=integer_or_none(fields.get("content_index")),
        summary_index=integer_or_none(fields.get("summary_index")),
        part=fields.get("part"),
        text=fields.get("text"),
        refusal=fields.get("refusal"),
        annotation=fields.get("annotation"),
    )


def _read_item(item: dict[str, Any]) -> Item:
    named = {name: item.get(name) for name in ("phase", "content", "summary", "status", "action", "queries")}
    return Item(type=string_or_none(item.get("type")), id=string_or_none(item.get("id")), **named)


def _read_response(value: Any) -> CompleteResponse | None:
    fields = object_or_none(value)
    if fields is None:
        return None
    details = object_or_none(fields.get("incomplete_details"))
    output = fields.get("output")
    return CompleteResponse(
        id=string_or_none(fields.get("id")),
        model=string_or_none(fields.get("model")),
        created_at=fields.get("created_at"),
        usage=read_response_usage(fields.get("usage")),
        error=fields.get("error"),
        incomplete_details=None if details is None else IncompleteDetails(string_or_none(details.get("reason"))),
        output=[_read_item(item) for item in output if isinstance(item, dict)] if isinstance(output, list) else None,
    )


decode_event = frame_decoder(ResponseEvent, _read_event)
"""Decode the data of one frame without its content. Raise `UpstreamMalformed`."""

decode_content_event = frame_decoder(ContentEvent, _read_event)
"""Decode the data of one frame. Raise `UpstreamMalformed`."""
