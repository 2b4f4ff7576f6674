"""The Vercel AI SDK's UI message stream, version 1: what `useChat` reads.

https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol#ui-message-stream-protocol. Its client rejects parts that it does not know, so
what the stream has no part for goes out as `data-*`. It takes every end without an `error` part for a good one, and ignores
`abort` and `[DONE]`: so a failed answer ends with `error` and nothing after it, its open text left open.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, assert_never

from shared.chat.encoders.event_json import event_json
from shared.chat.encoders.step_list import fields_of
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Failed, Finished, Reasoning, Source, Started, Step, Usage
from shared.sse import DONE, HEARTBEAT, write_frame

Part = dict[str, Any]

_FINISH_REASONS = {"content_filter": "content-filter", "tool_calls": "tool-calls"}
_DONE = write_frame(DONE)
_UNKNOWN_MEDIA_TYPE = "application/octet-stream"
"""The SDK requires one of a document."""


class UiMessageEncoder:
    """One message of one step. Texts and reasonings are numbered; what interrupts one ends it."""

    media_type = "text/event-stream; charset=utf-8"
    headers: Mapping[str, str] = MappingProxyType({"x-vercel-ai-ui-message-stream": "v1"})
    heartbeat = HEARTBEAT
    padding = b""
    is_buffered = False
    cuts_after_error = False
    """`useChat` ends at the `error` part either way; `readUIMessageStream` would report a second error, "terminated"."""

    def __init__(self) -> None:
        """Begin a message of which nothing is known."""
        self._has_started = False
        self._open = ""
        """The kind of the part that is being written: text, reasoning, or none."""
        self._number = 0
        self._usage: Usage | None = None

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return one frame per part."""
        out = bytearray()
        for event in events:
            for part in self._parts(event):
                out += write_frame(event_json(part))
            if isinstance(event, Finished):
                out += _DONE
        return bytes(out)

    def fail(self, error: ErrorObject) -> bytes:
        """Return an `error` part."""
        return self.encode([Failed(error)])

    def _parts(self, event: AnswerEvent) -> list[Part]:  # noqa: PLR0911 - one for each event
        match event:
            case Delta(text):
                return self._say("text", text)
            case Reasoning(text):
                return self._say("reasoning", text)
            case Started():
                return self._start(event)
            case Step():
                step = {"type": "data-step", "id": event.name, "data": fields_of(event)}
                return [*self._begin(), *self._close(), step]
            case Source():
                return [*self._begin(), _source(event)]
            case Citation():
                return [*self._begin(), {"type": "data-citation", "data": fields_of(event)}]
            case Usage():
                self._usage = event  # written with the end
                return []
            case Finished(reason):
                return self._finish(reason)
            case Failed(error):
                return [{"type": "error", "errorText": error.message}]
            case _:
                assert_never(event)

    def _start(self, event: Started) -> list[Part]:
        if self._has_started:  # a search came first: its parts have begun the message
            return [{"type": "message-metadata", "messageMetadata": {"model": event.model}}] if event.model else []
        self._has_started = True
        start: Part = {"type": "start"}
        if event.id:
            start["messageId"] = event.id
        metadata = {"model": event.model} | ({"resume": event.resume} if event.resume else {})
        if event.model or event.resume:
            start["messageMetadata"] = {name: value for name, value in metadata.items() if value}
        return [start, {"type": "start-step"}]

    def _begin(self) -> list[Part]:
        return [] if self._has_started else self._start(Started("", ""))

    def _say(self, kind: str, text: str) -> list[Part]:
        parts: list[Part] = []
        if self._open != kind:
            parts = [*self._begin(), *self._close()]
            self._open = kind
            self._number += 1
            parts.append({"type": f"{kind}-start", "id": self._id})
        return [*parts, {"type": f"{kind}-delta", "id": self._id, "delta": text}]

    @property
    def _id(self) -> str:
        return f"{self._open}-{self._number}"

    def _close(self) -> list[Part]:
        if not self._open:
            return []
        end = {"type": f"{self._open}-end", "id": self._id}
        self._open = ""
        return [end]

    def _finish(self, reason: str) -> list[Part]:
        finish: Part = {"type": "finish", "finishReason": _FINISH_REASONS.get(reason, reason)}
        if self._usage is not None:
            finish["messageMetadata"] = {"usage": _usage(self._usage)}
        return [*self._begin(), *self._close(), {"type": "finish-step"}, finish]


def _source(source: Source) -> Part:
    """Return the SDK's own part: of a page, or of a document that has no address."""
    part: Part = {"type": "source-url" if source.url else "source-document", "sourceId": source.id}
    part |= {"url": source.url} if source.url else {"mediaType": _UNKNOWN_MEDIA_TYPE}
    part["title"] = source.title
    if source.excerpt:
        part["providerMetadata"] = {"source": {"excerpt": source.excerpt}}
    return part


def _usage(usage: Usage) -> dict[str, Any]:
    """Return the usage in the form of the SDK's `LanguageModelUsage`."""
    return {
        "inputTokens": usage.input_tokens,
        "inputTokenDetails": {"cacheReadTokens": usage.cached_tokens},
        "outputTokens": usage.output_tokens,
        "outputTokenDetails": {"reasoningTokens": usage.reasoning_tokens},
        "totalTokens": usage.input_tokens + usage.output_tokens,
    }
