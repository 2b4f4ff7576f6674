"""Untrusted JSON -> `ChatRequest`: parsed once, at the edge. Deeper code never checks again.

Every refusal is a 4xx whose message names the field, and what is allowed there.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from shared.errors import BadRequest
from shared.http.json_body import parse_object

ROLES = ("system", "developer", "user", "assistant")
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
MAX_MESSAGES = 2048
MAX_STOPS = 4
MAX_SHOWN_CHARACTERS = 128
"""Of an unknown field's name, in the refusal."""


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

    text: str


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image in a message: an https address or a data URL."""

    url: str
    detail: str | None = None


Part = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation."""

    role: str
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """The message's words, without its images."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What a caller of the chat API asks for. None: the upstream's own default."""

    messages: tuple[Message, ...]
    model: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    reasoning_effort: str | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    stream: bool | None = None
    echoed: Mapping[str, Any] = MappingProxyType({})
    """The fields that the caller's format shows again in the answer."""


def parse_chat_request(body: bytes) -> ChatRequest:
    """Reads a request of the chat API. Raises `InvalidJson` or `BadRequest`."""
    return read_chat_request(parse_object(body))


def read_chat_request(fields: dict[str, Any]) -> ChatRequest:
    """As `parse_chat_request`, from JSON that is parsed already."""
    options = read_options(fields, beside=("input", "messages"))
    return ChatRequest(messages=_messages(fields), **options)


def read_options(fields: dict[str, Any], *, beside: tuple[str, ...]) -> dict[str, Any]:
    """Everything but the conversation, which is in the fields `beside` the options. Raises `BadRequest`."""
    unknown = sorted(fields.keys() - _FIELDS.keys() - set(beside))
    if unknown:
        raise _unknown(unknown[0], [*beside, *_FIELDS])
    return {name: read(name, fields[name]) for name, read in _FIELDS.items() if fields.get(name) is not None}


def _messages(fields: dict[str, Any]) -> tuple[Message, ...]:
    has_input, has_messages = fields.get("input") is not None, fields.get("messages") is not None
    if has_input == has_messages:
        found = "Both 'input' and 'messages' are given" if has_input else "Neither 'input' nor 'messages' is given"
        raise _bad("input", f"{found}; expected exactly one of them.")
    if has_input:
        return (Message("user", (TextPart(_words("input", fields["input"])),)),)
    listed = fields["messages"]
    check_message_count(listed)
    return tuple(_message(f"messages[{index}]", entry) for index, entry in enumerate(listed))


def check_message_count(listed: Any) -> None:
    """Raises `BadRequest` unless it is a list of as many messages as are allowed."""
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_MESSAGES:
        raise invalid("messages", f"a list of 1 to {MAX_MESSAGES} messages")


def _message(where: str, entry: Any) -> Message:
    _check_keys(where, entry, {"role", "content"})
    role = entry.get("role")
    if role not in ROLES:
        raise invalid(f"{where}.role", "one of " + ", ".join(ROLES))
    content = entry.get("content")
    if isinstance(content, str):
        return Message(role, (TextPart(_words(f"{where}.content", content)),))
    if not isinstance(content, list) or not content:
        raise invalid(f"{where}.content", "text, or a list of parts that is not empty")
    parts = tuple(_part(f"{where}.content[{index}]", part) for index, part in enumerate(content))
    if not any(isinstance(part, ImagePart) or part.text.strip() for part in parts):
        raise invalid(f"{where}.content", "text that is not empty")
    return Message(role, parts)


def _part(where: str, part: Any) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        _check_keys(where, part, {"type", "text"})
        if not isinstance(part.get("text"), str):
            raise invalid(f"{where}.text", "text")
        return TextPart(part["text"])
    if kind == "image_url":
        _check_keys(where, part, {"type", "image_url"})
        return _image(f"{where}.image_url", part.get("image_url"))
    raise invalid(f"{where}.type", "text or image_url")


def _image(where: str, image: Any) -> ImagePart:
    if isinstance(image, str):
        image = {"url": image}
    _check_keys(where, image, {"url", "detail"})
    url, detail = image.get("url"), image.get("detail")
    check_image_url(f"{where}.url", url)
    if detail not in (None, "auto", "low", "high"):
        raise invalid(f"{where}.detail", "auto, low or high")
    return ImagePart(url, detail)


def check_image_url(where: str, url: Any) -> None:
    """Raises `BadRequest` unless the model's service may be given this address."""
    if not isinstance(url, str) or not url.startswith(("https://", "data:image/")):
        raise invalid(where, "an https address or a data:image/ URL")


def _check_keys(where: str, value: Any, allowed: set[str]) -> None:
    if not isinstance(value, dict):
        raise invalid(where, "an object with " + ", ".join(sorted(allowed)))
    unknown = sorted(value.keys() - allowed)
    if unknown:
        raise _unknown(f"{where}.{unknown[0]}", sorted(allowed))


def _words(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid(name, "text that is not empty")
    return value


def _number(least: float, most: float) -> Callable[[str, Any], float]:
    def read(name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise invalid(name, f"a number from {least:g} to {most:g}")
        return value

    return read


def _whole(least: int, most: int) -> Callable[[str, Any], int]:
    def read(name: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise invalid(name, f"a whole number from {least} to {most}")
        return value

    return read


def _effort(name: str, value: Any) -> str:
    if value not in REASONING_EFFORTS:
        raise invalid(name, "one of " + ", ".join(REASONING_EFFORTS))
    return str(value)


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise invalid(name, "true or false")
    return value


def _stops(name: str, value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not 1 <= len(stops) <= MAX_STOPS:
        raise invalid(name, f"text, or a list of 1 to {MAX_STOPS} texts")
    if not all(isinstance(stop, str) and stop for stop in stops):
        raise invalid(name, "texts that are not empty")
    return tuple(stops)


def invalid(name: str, allowed: str) -> BadRequest:
    """Return the error of a field whose value is not allowed."""
    return _bad(name, f"{name!r} is not valid; expected {allowed}.")


def _unknown(field: str, allowed: list[str]) -> BadRequest:
    shown = field if len(field) <= MAX_SHOWN_CHARACTERS else field[:MAX_SHOWN_CHARACTERS] + "…"
    return _bad(shown, f"Unknown field {shown!r}; allowed are {', '.join(allowed)}.")


def _bad(name: str, message: str) -> BadRequest:
    return BadRequest(message, param=name)


_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "model": _words,
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "max_output_tokens": _whole(1, 10_000_000),
    "reasoning_effort": _effort,
    "stop": _stops,
    "seed": _whole(-(2**63), 2**63 - 1),
    "stream": _flag,
}
