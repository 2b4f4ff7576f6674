"""The Responses API: the numbered events of a stream, and the response object that they update.

Events: https://platform.openai.com/docs/api-reference/responses-streaming. There is no `[DONE]`;
`keepalive` is undocumented.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from dev.simulator.answer import Answer, compose
from dev.simulator.behaviour import InStreamError, Oddity, ToolCall
from dev.simulator.call import Call, Json
from dev.simulator.chat import logprob
from dev.simulator.response_object import ResponseObject
from dev.simulator.script import Frame, sse

ARGUMENT_CHARACTERS = 7
PADDING = "Zm9yIHRoZSBlYXIgb2YgdGhlIHdpcmU"
encode = msgspec.json.encode


class Responses:
    def __init__(self, call: Call) -> None:
        self._answer: Answer = compose(call)
        self.object = ResponseObject(call, self._answer)
        self._sequence = -1
        body, behaviour = call.body, call.behaviour
        self._pads = (body.get("stream_options") or {}).get("include_obfuscation", True) is not False
        asked = "message.output_text.logprobs" in (body.get("include") or [])
        self._logprobs = asked if behaviour.logprobs is None else behaviour.logprobs
        self._extra = {"sparkle": {"level": 3}} if "unknown_field" in behaviour.odd else {}
        self._base = self.object.id.removeprefix("resp_")
        self._encrypted = call.encrypted

    # Streaming.

    def opening(self) -> Iterator[Frame]:
        yield self._event("response.created", {"response": self.object.view()})
        if self.object.background:
            yield self._event("response.queued", {"response": self.object.view()})
        self.object.status = "in_progress"
        yield self._event("response.in_progress", {"response": self.object.view()})

    def content(self) -> Iterator[Frame]:
        if self._answer.reasoning or self._encrypted:
            yield from self._reasoning(self._answer.reasoning)
        for number, tool_call in enumerate(self._answer.calls):
            yield from self._function_call(number, tool_call)
        if self._answer.refusal:
            yield from self._message("refusal", self._answer.refusal)
        elif self._answer.pieces or not self._answer.calls:
            yield from self._message("output_text", self._answer.pieces)

    def closing(self) -> Iterator[Frame]:
        self.object.end()
        yield self._event(f"response.{self.object.status}", {"response": self.object.view()}, closing=True)

    def empty(self) -> Frame:
        return self._event("response.in_progress", {"response": self.object.view()})

    def says(self, literal: bytes) -> Frame:
        frame = self._event("response.output_text.delta", {**self._at(), "delta": "\0", "logprobs": []}, tokens=1)
        return Frame(frame.data.replace(encode("\0"), literal), 1, sequence=frame.sequence)

    def odd(self, kind: Oddity) -> Frame | None:
        match kind:
            case "missing_delta":
                return self._event("response.output_text.delta", self._at())
            case "null_delta" | "null_content":
                return self._event("response.output_text.delta", {**self._at(), "delta": None})
            case "unknown_event":
                return self._event("response.sparkle.delta", {"delta": "✨", "sparkle": True})
            case "empty_choices" | "unknown_field":
                return None

    def keepalive(self) -> Frame | None:
        return self._event("keepalive", {})

    def error(self, error: InStreamError) -> Iterator[Frame]:
        self.object.end("failed")
        inside: Json = {"type": error.type, "code": error.code, "message": error.message, "param": None}
        told = {"error": inside} if error.shape == "nested" else {**inside, "type": "error"}
        reason = {"code": error.code, "message": error.message} if error.order == "failed_only" else None
        kinds = {
            "failed_first": ("response.failed", "error"),
            "error_first": ("error", "response.failed"),
            "error_only": ("error",),
            "failed_only": ("response.failed",),
        }[error.order]
        for kind in kinds:
            failed = {"response": {**self.object.view(), "error": reason}}
            yield self._event(kind, told if kind == "error" else failed)

    # Non-streaming.

    def size(self) -> int:
        return self._answer.size

    def whole(self) -> Json:
        for _ in self.opening():
            pass
        for _ in self.content():
            pass
        self.object.end()
        return self.object.view()

    # Items.

    def _reasoning(self, pieces: tuple[str, ...]) -> Iterator[Frame]:
        item: Json = {"id": f"rs_{self._base}", "type": "reasoning", "summary": []}
        at: Json = {"item_id": item["id"], "output_index": self._add(item), "summary_index": 0}
        whole = {"type": "summary_text", "text": "".join(pieces)}
        yield self._event("response.output_item.added", {"output_index": at["output_index"], "item": item})
        sealed = {"encrypted_content": self._encrypted} if self._encrypted else {}
        if not pieces:
            yield self._done({**item, **sealed})
            return
        part = {"type": "summary_text", "text": ""}
        yield self._event("response.reasoning_summary_part.added", {**at, "part": part})
        for piece in pieces:
            yield self._event("response.reasoning_summary_text.delta", {**at, "delta": piece}, tokens=1)
        yield self._event("response.reasoning_summary_text.done", {**at, "text": whole["text"]})
        yield self._event("response.reasoning_summary_part.done", {**at, "part": whole})
        yield self._done({**item, "summary": [whole], **sealed})

    def _function_call(self, number: int, tool_call: ToolCall) -> Iterator[Frame]:
        arguments = tool_call.arguments_text
        item: Json = {
            "id": f"fc_{self._base}{number}",
            "type": "function_call",
            "status": "in_progress",
            "call_id": f"call_{self._base[-20:]}{number}",
            "name": tool_call.name,
            "arguments": "",
        }
        at: Json = {"item_id": item["id"], "output_index": self._add(item)}
        yield self._event("response.output_item.added", {"output_index": at["output_index"], "item": item})
        for start in range(0, len(arguments), ARGUMENT_CHARACTERS):
            piece = arguments[start : start + ARGUMENT_CHARACTERS]
            yield self._event("response.function_call_arguments.delta", {**at, "delta": piece}, tokens=1)
        done = {**at, "name": tool_call.name, "arguments": arguments}
        yield self._event("response.function_call_arguments.done", done)
        yield self._done({**item, "status": "completed", "arguments": arguments})

    def _message(self, kind: str, pieces: tuple[str, ...]) -> Iterator[Frame]:
        item: Json = {
            "id": f"msg_{self._base}",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        output_index = self._add(item)
        at = self._at()
        text = "".join(pieces)
        named = "refusal" if kind == "refusal" else "text"
        rest: Json = {} if kind == "refusal" else {"annotations": [], "logprobs": []}
        yield self._event("response.output_item.added", {"output_index": output_index, "item": item})
        yield self._event("response.content_part.added", {**at, "part": {"type": kind, named: "", **rest}})
        yield from self._refusal(pieces) if kind == "refusal" else self._text(pieces)
        whole: Json = {"type": kind, named: text, **rest}
        if kind == "output_text" and self._logprobs:
            whole["logprobs"] = [logprob(piece) for piece in pieces]
        lists = {"logprobs": whole["logprobs"]} if kind == "output_text" else {}
        yield self._event(f"response.{kind}.done", {**at, named: text, **lists})
        yield self._event("response.content_part.done", {**at, "part": whole})
        status = "incomplete" if self.object.incomplete else "completed"
        yield self._done({**item, "status": status, "content": [whole]})

    def _refusal(self, pieces: tuple[str, ...]) -> Iterator[Frame]:
        for piece in pieces:
            yield self._event("response.refusal.delta", {**self._at(), "delta": piece}, tokens=1)

    def _text(self, pieces: tuple[str, ...]) -> Iterator[Frame]:
        """Encode once what is the same for each delta: everything but the text, its padding and its number."""
        kind = "response.output_text.delta"
        before, _, _ = encode({"type": kind, **self._extra, **self._at(), "delta": "\0"}).partition(encode("\0"))
        head = b"event: %b\ndata: %b" % (kind.encode(), before)
        for number, piece in enumerate(pieces):
            logprobs = encode([logprob(piece)]) if self._logprobs else b"[]"
            padding = b',"obfuscation":"%b"' % PADDING[: 3 + number % 16].encode() if self._pads else b""
            self._sequence += 1
            data = b'%b%b,"logprobs":%b%b,"sequence_number":%d}\n\n'
            yield Frame(data % (head, encode(piece), logprobs, padding, self._sequence), 1, sequence=self._sequence)

    # Objects.

    def _at(self) -> Json:
        output_index = max(len(self.object.output) - 1, 0)
        return {"item_id": f"msg_{self._base}", "output_index": output_index, "content_index": 0}

    def _add(self, item: Json) -> int:
        self.object.output.append(item)
        return len(self.object.output) - 1

    def _done(self, item: Json) -> Frame:
        self.object.output[-1] = item
        return self._event("response.output_item.done", {"output_index": len(self.object.output) - 1, "item": item})

    def _event(self, kind: str, fields: dict[str, Any], *, tokens: int = 0, closing: bool = False) -> Frame:
        self._sequence += 1
        data = encode({"type": kind, "sequence_number": self._sequence, **self._extra, **fields})
        return Frame(sse(data, kind), tokens, closing, self._sequence)
