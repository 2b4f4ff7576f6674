"""Chat completions as Azure OpenAI sends them.

Shapes: https://learn.microsoft.com/azure/foundry/openai/latest#create-chat-completion and, for the content filter's
annotations, https://learn.microsoft.com/azure/foundry/openai/concepts/content-streaming.
"""

import itertools
import secrets
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from dev.simulator.answer import Answer, compose
from dev.simulator.behaviour import InStreamError, Oddity
from dev.simulator.call import Call, Json
from dev.simulator.script import Frame, sse

SAFE = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}
BLOCKED = {**SAFE, "hate": {"filtered": True, "severity": "high"}}
FINGERPRINT = "fp_simulated"
BLANK: Json = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
TOP_LOGPROBS = 2

encode = msgspec.json.encode


class Chat:
    def __init__(self, call: Call) -> None:
        self._call = call
        self._azure = call.surface.azure
        self._answers = [compose(call, number=number) for number in range(call.body.get("n") or 1)]
        self._id = f"chatcmpl-{secrets.token_hex(15)}"
        self._created = int(time.time())
        options = call.body.get("stream_options") or {}
        self._tells_usage = bool(options.get("include_usage")) and self._answers[0].usage is not None
        self._usage_null = {"usage": None} if options.get("include_usage") else {}
        self._logprobs = (
            call.body.get("logprobs") is True if call.behaviour.logprobs is None else call.behaviour.logprobs
        )
        extra = {"sparkle": {"level": 3}} if "unknown_field" in call.behaviour.odd else {}
        self._around = [self._template(index, extra) for index in range(len(self._answers))]

    # Streaming.

    def opening(self) -> Iterator[Frame]:
        if self._azure:
            yield self._frame({**BLANK, **self._prompt_filter(), **self._usage_null})
        for index, answer in enumerate(self._answers):
            delta: Json = {"role": "assistant", "content": None if answer.calls else "", "refusal": None}
            yield self._choice(index, {"delta": delta, **({"content_filter_results": {}} if self._azure else {})})

    def content(self) -> Iterator[Frame]:
        streams = [self._said(index, answer) for index, answer in enumerate(self._answers)]
        half = sum(len(answer.pieces) for answer in self._answers) // 2
        for number, frame in enumerate(itertools.chain.from_iterable(itertools.zip_longest(*streams)), 1):
            if frame is not None:
                yield frame
            if number == half:
                yield from self._annotation()

    def closing(self) -> Iterator[Frame]:
        for index, answer in enumerate(self._answers):
            choice: Json = {"finish_reason": answer.finish_reason, "delta": {}}
            if self._azure:
                choice["content_filter_results"] = {}
                if answer.finish_reason == "content_filter":
                    del choice["delta"]
                    choice["content_filter_results"] = BLOCKED
            yield self._choice(index, choice, closing=True)
        for frame in self._annotation():
            yield Frame(frame.data, closing=True)
        if self._tells_usage:
            chunk = {**self._base(), "choices": [], "usage": self._usage()}
            yield Frame(sse(encode(chunk)), closing=True)
        yield Frame(sse(b"[DONE]"), closing=True)

    def empty(self) -> Frame:
        return self._choice(0, {"delta": {"content": ""}})

    def says(self, literal: bytes) -> Frame:
        before, after = self._around[0]
        return Frame(before + literal + after, tokens=1)

    def odd(self, kind: Oddity) -> Frame | None:
        match kind:
            case "missing_delta":
                return self._choice(0, {"content_filter_results": SAFE})
            case "null_delta":
                return self._choice(0, {"delta": None})
            case "null_content":
                return self._choice(0, {"delta": {"role": "assistant", "content": None}})
            case "empty_choices":
                return self._frame({**self._base(), "choices": []})
            case "unknown_event":
                return Frame(sse(encode({"object": "chat.sparkle", "sparkle": True}), "sparkle"))
            case "unknown_field":
                return None  # every content frame has one then

    def keepalive(self) -> Frame | None:
        return None

    def error(self, error: InStreamError) -> Iterator[Frame]:
        yield from error_frames(error)

    # Non-streaming.

    def size(self) -> int:
        return sum(answer.size for answer in self._answers)

    def whole(self) -> Json:
        choices = [self._whole_choice(index, answer) for index, answer in enumerate(self._answers)]
        body = {**self._base(), "object": "chat.completion", "choices": choices}
        if self._answers[0].usage is not None:
            body["usage"] = self._usage()
        return {**body, **self._prompt_filter()} if self._azure else body

    # Objects.

    def _base(self) -> Json:
        base: Json = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._call.model,
            "system_fingerprint": FINGERPRINT,
        }
        if self._call.behaviour.no_id:
            del base["id"]
        if self._call.behaviour.null_fields:
            base = {name: value if name == "object" else None for name, value in base.items()}
        return base

    def _template(self, index: int, extra: Json) -> tuple[bytes, bytes]:
        """Return the bytes before and after the text of a content chunk, which are the same for all chunks."""
        choice: Json = {"index": index, "finish_reason": None, "logprobs": None, "delta": {"content": "\0"}}
        if self._azure:
            choice["content_filter_results"] = SAFE
        whole = sse(encode({**self._base(), "choices": [choice], **self._usage_null, **extra}))
        before, _, after = whole.partition(encode("\0"))
        return before, after

    def _said(self, index: int, answer: Answer) -> Iterator[Frame]:
        for piece in answer.reasoning:
            yield self._choice(index, {"delta": {"reasoning_content": piece}}, tokens=1)
        for piece in answer.refusal:
            yield self._choice(index, {"delta": {"refusal": piece}}, tokens=1)
        for number, tool_call in enumerate(self._tool_calls(answer)):
            arguments = tool_call["function"]["arguments"]
            first = {**tool_call, "index": number, "function": {**tool_call["function"], "arguments": ""}}
            yield self._choice(index, {"delta": {"tool_calls": [first]}})
            for start in range(0, len(arguments), 7):
                part = {"index": number, "function": {"arguments": arguments[start : start + 7]}}
                yield self._choice(index, {"delta": {"tool_calls": [part]}}, tokens=1)
        before, after = self._around[index]
        for piece in answer.pieces:
            if self._logprobs:
                logprobs = {"content": [logprob(piece)], "refusal": None}
                yield self._choice(index, {"delta": {"content": piece}, "logprobs": logprobs}, tokens=1)
            else:
                yield Frame(before + encode(piece) + after, tokens=1)

    def _choice(self, index: int, choice: Json, *, tokens: int = 0, closing: bool = False) -> Frame:
        choice = {"index": index, "finish_reason": None, "logprobs": None, **choice}
        chunk = {**self._base(), "choices": [choice], **self._usage_null}
        return Frame(sse(encode(chunk)), tokens, closing)

    def _frame(self, chunk: Json) -> Frame:
        return Frame(sse(encode(chunk)))

    def _annotation(self) -> Iterator[Frame]:
        """Return the chunk of the asynchronous content filter: a choice without a delta."""
        if self._azure:
            offsets = {"check_offset": 44, "start_offset": 44, "end_offset": 44 + len(self._answers[0].text)}
            choice = {
                "index": 0,
                "finish_reason": None,
                "content_filter_results": SAFE,
                "content_filter_offsets": offsets,
            }
            yield self._frame({**BLANK, "choices": [choice], **self._usage_null})

    def _prompt_filter(self) -> Json:
        return {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}]}

    def _tool_calls(self, answer: Answer) -> list[Json]:
        return [
            {
                "id": f"call_{self._id[-20:]}{number}",
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments_text},
            }
            for number, call in enumerate(answer.calls)
        ]

    def _usage(self) -> Json:
        return usage(self._answers)

    def _whole_choice(self, index: int, answer: Answer) -> Json:
        blocked = answer.finish_reason == "content_filter"
        message: Json = {
            "role": "assistant",
            "content": None if answer.calls or answer.refusal else answer.text,
            "refusal": "".join(answer.refusal) or None,
        }
        if answer.reasoning:
            message["reasoning_content"] = "".join(answer.reasoning)
        if answer.calls:
            message["tool_calls"] = self._tool_calls(answer)
        logprobs = {"content": [logprob(piece) for piece in answer.pieces], "refusal": None} if self._logprobs else None
        choice: Json = {"index": index, "finish_reason": answer.finish_reason, "message": message, "logprobs": logprobs}
        return {**choice, "content_filter_results": BLOCKED if blocked else SAFE} if self._azure else choice


def usage(answers: list[Answer]) -> Json:
    first = answers[0].usage
    completion = sum(answer.completion_tokens for answer in answers)
    return {
        "prompt_tokens": answers[0].prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": answers[0].prompt_tokens + completion,
        "prompt_tokens_details": {"cached_tokens": first.cached if first else 0},
        "completion_tokens_details": {"reasoning_tokens": first.reasoning if first else 0},
    }


def logprob(piece: str) -> Json:
    value = -0.01 * (1 + len(piece))
    one: Json = {"token": piece, "logprob": value, "bytes": list(piece.encode(errors="replace"))}
    other: Json = {"token": " maybe", "logprob": value - 3, "bytes": list(b" maybe")}
    return {**one, "top_logprobs": [one, other][:TOP_LOGPROBS]}


def error_frames(error: InStreamError) -> Iterator[Frame]:
    """Return an error in the middle of a stream without event names: nested as sent by the service, or flat."""
    inside: dict[str, Any] = {"message": error.message, "type": error.type, "param": None, "code": error.code}
    data = {"error": inside} if error.shape == "nested" else {**inside, "type": "error"}
    yield Frame(sse(encode(data)))
    if error.done:
        yield Frame(sse(b"[DONE]"))
