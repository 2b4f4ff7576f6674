"""The Responses API, https://platform.openai.com/docs/api-reference/responses-streaming, as Azure sends it.

Event types that are not known here pass without effect: there are more every month. `response.failed` is held until the
next event or the end, because the error that explains it may come right after it.
"""

from typing import Any

import msgspec

from shared.chat.request import ChatRequest, Message, TextPart
from shared.config.backends import Backend
from shared.errors import BadRequest
from shared.events import AnswerEvent, Delta, Finished, Reasoning, Started, Step
from shared.upstream.errors import error_from_event, read_error
from shared.upstream.wire import ResponseUsage, decode_frame, text_of

PATH = "responses"
_NO_EXPLANATION = "The model's service ended the answer without an explanation."


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    usage: ResponseUsage | None = None
    error: Any = None
    incomplete_details: _Incomplete | None = None


class _Item(msgspec.Struct):
    type: str | None = None


class ResponseEvent(msgspec.Struct):
    """Any event of the stream, as far as it is looked into."""

    type: str = ""
    delta: Any = None
    response: _Response | None = None
    item: _Item | None = None
    error: Any = None
    code: Any = None
    message: Any = None
    param: Any = None


_DECODER = msgspec.json.Decoder(ResponseEvent)


def request_body(request: ChatRequest, deployment: str, *, backend: Backend) -> bytes:  # noqa: ARG001 - one shape for all
    """The upstream's request. Nothing is stored there. Raises `BadRequest` for what the Responses API doesn't take."""
    for name in ("stop", "seed"):
        if getattr(request, name) is not None:
            raise BadRequest(f"{name!r} is not supported here: this deployment uses the Responses API.", param=name)
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
    }
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def _message(message: Message) -> dict[str, Any]:
    text_type = "output_text" if message.role == "assistant" else "input_text"
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, TextPart):
            parts.append({"type": text_type, "text": part.text})
        else:
            parts.append({"type": "input_image", "image_url": part.url, "detail": part.detail or "auto"})
    return {"role": message.role, "content": parts}


class Decoder:
    """The data of one frame after another -> events. One per answer."""

    def __init__(self) -> None:
        self.is_ended = False
        self.may_have_failed = False
        self._failure: Any = None
        self._has_calls = False

    def decode(self, data: bytes) -> list[AnswerEvent]:
        """The events of one frame. Raises `UpstreamMalformed`, or `UpstreamErrorResponse` for an error event."""
        event = decode_frame(_DECODER, data)
        kind = event.type
        if kind == "response.output_text.delta" or kind == "response.refusal.delta":
            return _some(Delta, event.delta)
        if kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
            return _some(Reasoning, event.delta)
        if kind == "error":
            flat = {"code": event.code, "message": event.message, "param": event.param}
            raise error_from_event(read_error(event.error or flat, fallback=_NO_EXPLANATION))
        if self.may_have_failed:
            raise self._refusal()
        return self._lifecycle(kind, event)

    def end(self) -> list[AnswerEvent]:
        """The stream ended cleanly. Raises `UpstreamErrorResponse` if the answer had failed."""
        if self.may_have_failed:
            raise self._refusal()
        return []

    def _refusal(self) -> Exception:
        return error_from_event(read_error(self._failure or {}, fallback=_NO_EXPLANATION))

    def _lifecycle(self, kind: str, event: ResponseEvent) -> list[AnswerEvent]:
        response = event.response or _Response()
        if kind == "response.created":
            return [Started(response.id or "", response.model or "")]
        if kind in ("response.completed", "response.incomplete"):
            return self._finish(kind, response)
        if kind in ("response.failed", "response.cancelled"):
            self._failure, self.may_have_failed = response.error, True
            if response.error is not None:
                raise self._refusal()
        if event.item is not None and event.item.type == "function_call":
            self._has_calls = True
        # The tools that run upstream report their steps as response.<tool>_call.<status>.
        tool, _, status = kind.removeprefix("response.").partition("_call.")
        if status and "." not in status and tool not in ("function", "custom_tool"):
            return [Step(tool, status)]
        return []

    def _finish(self, kind: str, response: _Response) -> list[AnswerEvent]:
        self.is_ended = True
        reason = "tool_calls" if self._has_calls else "stop"
        if kind == "response.incomplete":
            details = response.incomplete_details
            reason = "content_filter" if details and details.reason == "content_filter" else "length"
        events: list[AnswerEvent] = [response.usage.event()] if response.usage else []
        return [*events, Finished(reason)]


def _some(kind: type[Delta] | type[Reasoning], value: Any) -> list[AnswerEvent]:
    text = text_of(value)
    return [kind(text)] if text else []
