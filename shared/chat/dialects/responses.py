"""The Responses API, https://platform.openai.com/docs/api-reference/responses-streaming, as Azure sends it.

Event types that are not known here pass without effect: there are more every month. A failure without an explanation is
held until the next event or the end, because the event that explains it may come right after it.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.chat.dialects.annotations import Annotations
from shared.chat.dialects.parts import DELTAS, PARTS_DONE, TEXTS_DONE, Parts
from shared.chat.request import ChatRequest, Message, TextPart
from shared.config.backends import Backend
from shared.errors import BadRequest
from shared.events import ENDED_STEPS, AnswerEvent, Finished, Started, Step
from shared.upstream.errors import error_from_event
from shared.upstream.wire.frames import FrameKind, text_of
from shared.upstream.wire.responses import (
    ENDINGS,
    CompleteResponse,
    ContentEvent,
    Failure,
    Item,
    Response,
    decode_content_event,
)

PATH = "responses"
_ANNOTATION = "response.output_text.annotation.added"
_ITEM_ADDED, _ITEM_DONE = "response.output_item.added", "response.output_item.done"
_SEARCHES = {"web_search_call": "web_search", "file_search_call": "file_search"}
"""The output items that are searches, by the name of their step."""
MAX_QUERY_CHARACTERS = 1000
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why an answer ended incomplete, as a finish reason."""


def request_body(request: ChatRequest, deployment: str, *, backend: Backend) -> bytes:  # noqa: ARG001 - a `RequestBody`
    """Return the JSON of the upstream's request. Raise `BadRequest` for what the Responses API does not take.

    The upstream is asked not to store the response.
    """
    for name in ("stop", "seed"):
        if getattr(request, name) is not None:
            raise BadRequest(f"{name!r} is not supported by this deployment, which uses the Responses API.", param=name)
    effort = request.reasoning_effort
    body: dict[str, Any] = {
        "model": deployment,
        "input": [_message(message) for message in request.messages],
        "stream": True,
        "store": False,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_output_tokens": request.max_output_tokens,
        "reasoning": {"effort": effort, "summary": "auto"} if effort is not None else None,
        "tools": request.tools or None,
    }
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def _message(message: Message) -> dict[str, Any]:
    text_type = "output_text" if message.role == "assistant" else "input_text"
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            parts.append({"type": text_type, "text": part.text.literal})
        else:
            parts.append({"type": "input_image", "image_url": part.url, "detail": part.detail or "auto"})
    return {"role": message.role, "content": parts}


class Decoder:
    """The data of one frame after another -> events. One per answer."""

    is_cut = False
    """Only the end of the body says that no more will come."""

    def __init__(self) -> None:
        """Begin at the answer's first frame."""
        self.is_ended = False
        self._failure = Failure()
        self._has_calls = False
        self._annotations = Annotations()
        self._parts = Parts(end_text=self._annotations.end_text)

    @property
    def may_have_failed(self) -> bool:
        """The answer has failed, and what explains it may come with the next frame."""
        return self._failure.error is not None

    def decode(self, data: bytes) -> list[AnswerEvent]:
        """Return the events of one frame. Raise `UpstreamMalformed`, or `UpstreamErrorResponse` once the answer has failed."""
        event = decode_content_event(data)
        kind = DELTAS.get(event.type)
        if kind is not None:
            text = text_of(event.delta)
            return [self._parts.say(kind, event, text)] if text else []
        if self._failure.read(event) is FrameKind.FAILURE_ANNOUNCED and not self._failure.is_explained:
            return []
        self._raise_failure()
        return self._lifecycle(event)

    def end(self) -> list[AnswerEvent]:
        """Take a clean end of the stream, which ends nothing here. Raise `UpstreamErrorResponse` if the answer had failed."""
        self._raise_failure()
        return []

    def _raise_failure(self) -> None:
        if self._failure.error is not None:
            raise error_from_event(self._failure.error)

    def _lifecycle(self, event: ContentEvent) -> list[AnswerEvent]:
        response = event.response or CompleteResponse()
        if event.type == "response.created":
            return [Started(response.id or "", response.model or "")]
        if event.type in ENDINGS:
            return [*self._parts.complete_answer(response.output or []), *self._finish(event.type, response)]
        if event.item is not None and event.item.type == "function_call":
            self._has_calls = True
        return [*self._completed(event), *self._tools(event)]

    def _completed(self, event: ContentEvent) -> Sequence[AnswerEvent]:
        """Return what a part or an item says that came without deltas."""
        parts = self._parts
        if event.type in TEXTS_DONE:
            return parts.complete_text(TEXTS_DONE[event.type], event, text_of(event.text) or text_of(event.refusal))
        if event.type in PARTS_DONE:
            return parts.complete_part(PARTS_DONE[event.type], event)
        if event.type == _ITEM_ADDED:
            parts.begin(event)
        elif event.type == _ITEM_DONE and event.item is not None:
            return parts.complete_item(event.item, event.output_index)
        return []

    def _tools(self, event: ContentEvent) -> list[AnswerEvent]:
        """Return what a tool that runs upstream does, or has found."""
        if event.type == _ANNOTATION:
            return self._annotations.read(event.annotation) if isinstance(event.annotation, dict) else []
        if event.type == _ITEM_DONE and event.item is not None:
            return _searched(event.item)
        # The tools that run upstream report their steps as response.<tool>_call.<status>.
        tool, _, status = event.type.removeprefix("response.").partition("_call.")
        if status and "." not in status and tool not in ("function", "custom_tool"):
            return [Step(tool, status)]
        return []

    def _finish(self, kind: str, response: Response) -> list[AnswerEvent]:
        self.is_ended = True
        reason = "tool_calls" if self._has_calls else "stop"
        if kind == "response.incomplete":
            details = response.incomplete_details
            reason = _INCOMPLETE.get(details.reason or "", "other") if details and details.reason else "length"
        events: list[AnswerEvent] = [response.usage.event()] if response.usage else []
        return [*events, Finished(reason)]


def _searched(item: Item) -> list[AnswerEvent]:
    """Return what a search has searched for, which is known once its item is complete."""
    name = _SEARCHES.get(item.type or "")
    if name is None:
        return []
    fields = item.action if isinstance(item.action, dict) else {"queries": item.queries}
    queries = fields.get("queries") or [fields.get("query")]
    texts = [query for query in queries if isinstance(query, str) and query] if isinstance(queries, list) else []
    status = item.status if isinstance(item.status, str) and item.status in ENDED_STEPS else "completed"
    return [Step(name, status, {"query": "; ".join(texts)[:MAX_QUERY_CHARACTERS]})] if texts else []
