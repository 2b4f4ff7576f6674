"""Legacy completions: `choices[0].text`, otherwise framed like chat (https://platform.openai.com/docs/api-reference/completions)."""

import itertools
import secrets
import time
from collections.abc import Iterator

from dev.simulator.answer import Answer, compose
from dev.simulator.behaviour import InStreamError, Oddity
from dev.simulator.call import Call, Json
from dev.simulator.chat import BLANK, BLOCKED, SAFE, encode, error_frames, usage
from dev.simulator.script import Frame, sse


class Completions:
    def __init__(self, call: Call) -> None:
        self._call = call
        self._azure = call.surface.azure
        self._answers = [compose(call, number=number) for number in range(call.body.get("n") or 1)]
        self._id = f"cmpl-{secrets.token_hex(15)}"
        self._created = int(time.time())
        options = call.body.get("stream_options") or {}
        self._tells_usage = bool(options.get("include_usage")) and self._answers[0].usage is not None
        self._usage_null = {"usage": None} if options.get("include_usage") else {}

    def opening(self) -> Iterator[Frame]:
        if self._azure:
            filters = [{"prompt_index": 0, "content_filter_results": SAFE}]
            yield Frame(sse(encode({**BLANK, "prompt_filter_results": filters, **self._usage_null})))

    def content(self) -> Iterator[Frame]:
        streams = [self._said(index, answer) for index, answer in enumerate(self._answers)]
        for frame in itertools.chain.from_iterable(itertools.zip_longest(*streams)):
            if frame is not None:
                yield frame

    def closing(self) -> Iterator[Frame]:
        for index, answer in enumerate(self._answers):
            blocked = answer.finish_reason == "content_filter"
            yield self._choice(
                {
                    "index": index,
                    "text": "",
                    "finish_reason": answer.finish_reason,
                    **({"content_filter_results": BLOCKED} if self._azure and blocked else {}),
                },
                closing=True,
            )
        if self._tells_usage:
            yield Frame(sse(encode({**self._base(), "choices": [], "usage": usage(self._answers)})), closing=True)
        yield Frame(sse(b"[DONE]"), closing=True)

    def empty(self) -> Frame:
        return self._choice({"index": 0, "text": "", "finish_reason": None})

    def says(self, literal: bytes) -> Frame:
        frame = self._choice({"index": 0, "text": "\0", "finish_reason": None}, tokens=1)
        return Frame(frame.data.replace(encode("\0"), literal), tokens=1)

    def odd(self, kind: Oddity) -> Frame | None:
        match kind:
            case "null_content":
                return self._choice({"index": 0, "text": None, "finish_reason": None})
            case "missing_delta" | "null_delta":
                return self._choice({"index": 0, "finish_reason": None})
            case "empty_choices":
                return Frame(sse(encode({**self._base(), "choices": []})))
            case "unknown_event":
                return Frame(sse(encode({"object": "sparkle"}), "sparkle"))
            case "unknown_field":
                return None

    def keepalive(self) -> Frame | None:
        return None

    def error(self, error: InStreamError) -> Iterator[Frame]:
        yield from error_frames(error)

    def size(self) -> int:
        return sum(answer.size for answer in self._answers)

    def whole(self) -> Json:
        choices = [
            {
                "index": index,
                "text": answer.text,
                "finish_reason": answer.finish_reason,
                "logprobs": None,
                **({"content_filter_results": SAFE} if self._azure else {}),
            }
            for index, answer in enumerate(self._answers)
        ]
        body = {**self._base(), "choices": choices}
        return {**body, "usage": usage(self._answers)} if self._answers[0].usage is not None else body

    def _base(self) -> Json:
        base: Json = {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._call.model,
        }
        if self._call.behaviour.no_id:
            del base["id"]
        if self._call.behaviour.null_fields:
            base = {name: value if name == "object" else None for name, value in base.items()}
        return base

    def _said(self, index: int, answer: Answer) -> Iterator[Frame]:
        filters = {"content_filter_results": SAFE} if self._azure else {}
        for piece in answer.pieces:
            yield self._choice({"index": index, "text": piece, "finish_reason": None, **filters}, tokens=1)

    def _choice(self, choice: Json, *, tokens: int = 0, closing: bool = False) -> Frame:
        extra = {"sparkle": {"level": 3}} if "unknown_field" in self._call.behaviour.odd else {}
        chunk = {**self._base(), "choices": [{"logprobs": None, **choice}], **self._usage_null, **extra}
        return Frame(sse(encode(chunk)), tokens, closing)
