"""The frames of an answer in each upstream API, as Azure OpenAI writes them.

Formats: https://platform.openai.com/docs/api-reference/chat-streaming, …/completions and …/responses-streaming; the content
filter's frames: https://learn.microsoft.com/azure/foundry/openai/concepts/content-streaming.
"""

import json
from collections.abc import Sequence
from typing import Any, Protocol

ERROR = {"message": "Slow down.", "type": "too_many_requests", "code": "rate_limit_exceeded", "param": None}
RESPONSE_ID = "resp_0a1b"
_USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
_RESPONSE_USAGE = {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}


def data(value: object, event: str = "") -> bytes:
    """Return one server-sent event."""
    name = f"event: {event}\n" if event else ""
    return f"{name}data: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


class Frames(Protocol):
    """One upstream API."""

    def opening(self) -> list[bytes]:
        """Return the frames before the first content."""

    def word(self, text: str) -> bytes:
        """Return one piece of the answer's text."""

    def ending(self) -> list[bytes]:
        """Return the model's own ending."""

    def error(self, error: dict[str, Any], order: str) -> list[bytes]:
        """Return an error inside the stream; `order` is of the Responses API: which events come, and which comes first."""

    def whole(self, words: Sequence[str]) -> bytes:
        """Return the answer as one JSON body."""


class ChatFrames:
    """Chat completions."""

    def opening(self) -> list[bytes]:
        """Return the content filter's frame, and the role."""
        blank = {"id": "", "object": "", "created": 0, "model": ""}
        return [
            data({**blank, "choices": [], "prompt_filter_results": [{}]}),
            self._choice({"role": "assistant", "content": ""}),
        ]

    def word(self, text: str) -> bytes:
        """Return a delta."""
        return self._choice({"content": text})

    def ending(self) -> list[bytes]:
        """Return the finish reason, the usage and `[DONE]`."""
        return [self._choice({}, finish_reason="stop"), self._chunk(usage=_USAGE), b"data: [DONE]\n\n"]

    def error(self, error: dict[str, Any], order: str) -> list[bytes]:
        """Return the error; with the order "error_and_done" `[DONE]` still follows."""
        return [data({"error": error}), *([b"data: [DONE]\n\n"] if order == "error_and_done" else [])]

    def whole(self, words: Sequence[str]) -> bytes:
        """Return a chat completion."""
        message = {"role": "assistant", "content": "".join(words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return json.dumps(
            {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": _USAGE}
        ).encode()

    def _choice(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return self._chunk({"index": 0, "delta": delta, "finish_reason": finish_reason})

    def _chunk(self, *choices: dict[str, Any], **more: Any) -> bytes:
        base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-2026-01-01"}
        return data({**base, "choices": choices, **more})


class CompletionFrames(ChatFrames):
    """Legacy completions: framed like chat completions, with `text` in place of `delta`."""

    def opening(self) -> list[bytes]:
        """Return the content filter's frame."""
        return super().opening()[:1]

    def whole(self, words: Sequence[str]) -> bytes:
        """Return a text completion."""
        choice = {"index": 0, "text": "".join(words), "finish_reason": "stop"}
        return json.dumps({"id": "cmpl-1", "object": "text_completion", "choices": [choice], "usage": _USAGE}).encode()

    def _choice(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        return self._chunk({"index": 0, "text": delta.get("content", ""), "finish_reason": finish_reason})


class ResponseFrames:
    """The Responses API."""

    def opening(self) -> list[bytes]:
        """Return the events before the first delta."""
        return [
            self._event("response.created", response=self._response("in_progress")),
            self._event("response.in_progress", response=self._response("in_progress")),
            self._event("response.output_item.added", output_index=0, item={"id": "msg_1", "type": "message"}),
        ]

    def word(self, text: str) -> bytes:
        """Return a delta."""
        return self._event("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=text)

    def ending(self) -> list[bytes]:
        """Return `response.completed`."""
        return [self._event("response.completed", response=self._response("completed", usage=_RESPONSE_USAGE))]

    def error(self, error: dict[str, Any], order: str) -> list[bytes]:
        """Return the events that the order names; with "flat" in it, the error's fields stand in the event itself."""
        told = self._event("error", **({**error, "type": "error"} if "flat" in order else {"error": error}))
        reason = {"code": error["code"], "message": error["message"]} if "failed_only" in order else None
        failed = self._event("response.failed", response=self._response("failed", error=reason))
        orders = {"failed_first": [failed, told], "error_first": [told, failed], "failed_only": [failed]}
        return orders.get(order.removeprefix("flat "), [told])

    def whole(self, words: Sequence[str]) -> bytes:
        """Return a response object."""
        part = {"type": "output_text", "text": "".join(words), "annotations": []}
        output = [{"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}]
        return json.dumps(self._response("completed", output=output, usage=_RESPONSE_USAGE)).encode()

    def _event(self, kind: str, **fields: Any) -> bytes:
        return data({"type": kind, "sequence_number": 0} | fields if kind != "error" else {"type": kind} | fields, kind)

    def _response(self, status: str, **more: Any) -> dict[str, Any]:
        base = {"id": RESPONSE_ID, "object": "response", "created_at": 1, "model": "gpt-2026-01-01", "output": []}
        return {**base, "status": status, **more}


FRAMES: dict[str, Frames] = {
    "chat/completions": ChatFrames(),
    "completions": CompletionFrames(),
    "responses": ResponseFrames(),
}
"""By the path of the upstream call."""
