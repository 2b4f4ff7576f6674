"""What a caller of the chat API asks for, as frozen values. `shapes` makes them; deeper code never checks again."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import msgspec

from shared.chat.json_text import JsonText


class Schema(Enum):
    """The request schemas that the chat API takes."""

    NATIVE = "native"
    """This API's own: `input` or `messages`, and options."""
    UI_MESSAGE = "ui-message"
    """The Vercel AI SDK's, as `useChat` sends it."""
    CHAT_PROTOCOL = "chat-protocol"
    """The AI Chat Protocol's."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text in a message."""

    text: JsonText

    @classmethod
    def of(cls, text: str) -> "TextPart":
        """Return the part that says this."""
        return cls(JsonText.of(text))


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message: an https address or a data URL. `detail`: low, high or auto."""

    url: str
    detail: str | None = None


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation. `role`: system, developer, user or assistant."""

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> JsonText:
        """The message's text, without its images."""
        return JsonText.joined(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request of the chat API. None: the upstream's own default."""

    messages: tuple[Message, ...]
    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    stream: bool | None = None
    retrieval: bool | None = None
    """Whether to search before the answer; None leaves it to RETRIEVAL."""
    resume: bool | None = None
    """Whether the answer goes on where its connection broke."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """The tools that run upstream: the operator's CHAT_TOOLS, never the caller's."""
    echoed: Mapping[str, msgspec.Raw] = MappingProxyType({})
    """The fields that the caller's format shows again in the answer."""
