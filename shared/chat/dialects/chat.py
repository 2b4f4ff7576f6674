"""Chat completions, https://platform.openai.com/docs/api-reference/chat-streaming, as Azure sends them.

Survived: chunks without choices, without delta, without content, without an id; annotations after the end; usage in a
chunk of its own; blocked output that has a finish_reason and no delta.
"""

from typing import Any

import msgspec

from shared.chat.request import ChatRequest, ImagePart, Message, TextPart
from shared.config.backends import Backend
from shared.errors import UpstreamFailure
from shared.events import AnswerEvent, Delta, Finished, Reasoning, Started
from shared.sse import is_done
from shared.upstream.errors import error_from_event
from shared.upstream.wire.chat_completions import (
    FAILED,
    Choice,
    Chunk,
    decode_chunk,
    failure_of,
    finish_reason_of,
    has_failed,
)
from shared.upstream.wire.frames import text_of

PATH = "chat/completions"


def request_body(request: ChatRequest, deployment: str, *, backend: Backend) -> bytes:
    """Return the JSON of the upstream's request."""
    body: dict[str, Any] = {
        "model": deployment,
        "messages": [_message(message) for message in request.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": request.temperature,
        "top_p": request.top_p,
        # Reasoning models take only the newer name; servers that merely resemble OpenAI's may know only the older one.
        "max_completion_tokens" if backend.is_azure else "max_tokens": request.max_output_tokens,
        "reasoning_effort": request.reasoning_effort,
        "stop": request.stop,
        "seed": request.seed,
    }
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def _message(message: Message) -> dict[str, Any]:
    if all(isinstance(part, TextPart) for part in message.parts):
        return {"role": message.role, "content": message.text.literal}
    return {"role": message.role, "content": [_part(part) for part in message.parts]}


def _part(part: TextPart | ImagePart) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text.literal}
    image = {"url": part.url} if part.detail is None else {"url": part.url, "detail": part.detail}
    return {"type": "image_url", "image_url": image}


class Decoder:
    """The data of one frame after another -> events. One per answer; reads choice 0 only."""

    def __init__(self) -> None:
        """Begin at the answer's first frame."""
        self.is_ended = False
        self.is_cut = False
        self._is_started = False
        self._finish_reason: str | None = None

    @property
    def may_have_failed(self) -> bool:
        """The model has ended the answer with a word for a failure, and what explains it may come with the next frame."""
        return self._finish_reason == FAILED

    def decode(self, data: bytes) -> list[AnswerEvent]:
        """Return the events of one frame. Raise `UpstreamMalformed`, or another `UpstreamFailure` for an error."""
        if is_done(data):
            self.is_cut = self._finish_reason is None
            return self._end()
        chunk = decode_chunk(data)
        if has_failed(chunk):
            raise error_from_event(failure_of(chunk))
        events: list[AnswerEvent] = []
        for choice in chunk.choices or ():
            if not choice.index:
                self._read_choice(chunk, choice, events)
        if chunk.usage is not None:
            events.append(chunk.usage.event())
        return events

    def end(self) -> list[AnswerEvent]:
        """Return what a clean end means: an ending if the model had finished, for some send no [DONE].

        Raise `UpstreamFailure`.
        """
        return [] if self.is_ended else self._end()

    def _end(self) -> list[AnswerEvent]:
        if self._finish_reason is None:
            return []
        if self._finish_reason == FAILED:
            raise UpstreamFailure("The model's service ended the answer with an error.", cause="finish reason")
        self.is_ended = True
        return [Finished(self._finish_reason)]

    def _read_choice(self, chunk: Chunk, choice: Choice, events: list[AnswerEvent]) -> None:
        delta = choice.delta
        if not self._is_started and (delta is not None or choice.text is not None or choice.finish_reason):
            self._is_started = True
            events.append(Started(chunk.id or "", chunk.model or ""))
        if delta is not None:
            reasoning = delta.get("reasoning_content") or delta.get("reasoning")
            if reasoning and (text := text_of(reasoning)):
                events.append(Reasoning(text))
            if text := text_of(delta.get("content")) or text_of(delta.get("refusal")):
                events.append(Delta(text))
        elif text := text_of(choice.text):
            events.append(Delta(text))
        if choice.finish_reason:
            self._finish_reason = finish_reason_of(choice.finish_reason)
