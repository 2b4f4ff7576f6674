"""`useChat`'s messages -> `Message`s: texts and images are taken, what earlier answers left behind is passed over.

The schema is that of the Vercel AI SDK, https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message. It grows, so fields of a
message or a part that are not known here are ignored; a part of an unknown type is an error, because it may carry something
that the model was meant to see.
"""

from typing import Any

from shared.chat.fields import invalid, one_of
from shared.chat.messages import MAX_PARTS, check_message_count, read_image_url
from shared.chat.request import ImagePart, Message, Part, TextPart

ROLES = ("system", "user", "assistant")
_PASSED_OVER = frozenset(
    {
        "step-start",
        "reasoning",
        "reasoning-file",
        "source-url",
        "source-document",
        "custom",
        "dynamic-tool",
        "steering-message",
    }
)
_PASSED_OVER_FAMILIES = ("data-", "tool-")
_read_role = one_of(ROLES)


def has_ui_messages(listed: Any) -> bool:
    """Return whether the request's `messages` are `useChat`'s: no other schema's have `parts`."""
    return isinstance(listed, list) and any(isinstance(entry, dict) and "parts" in entry for entry in listed)


def read_ui_messages(listed: Any) -> tuple[Message, ...]:
    """Return the conversation. Raise `BadRequest`."""
    check_message_count(listed)
    messages = [_message(f"messages[{index}]", entry) for index, entry in enumerate(listed)]
    kept = tuple(message for message in messages if message.parts)
    if not kept:
        raise invalid("messages", "a message that says something")
    return kept


def _message(where: str, entry: Any) -> Message:
    """Return the message; without parts, to be left out, where it is an answer that failed before it said anything."""
    if not isinstance(entry, dict):
        raise invalid(where, "an object with role and parts")
    role, listed = _read_role(f"{where}.role", entry.get("role")), entry.get("parts")
    if not isinstance(listed, list) or len(listed) > MAX_PARTS:
        raise invalid(f"{where}.parts", f"a list of at most {MAX_PARTS} parts")
    is_answer = role == "assistant"
    parts = [_part(f"{where}.parts[{index}]", part, is_answer=is_answer) for index, part in enumerate(listed)]
    said = tuple(part for part in parts if isinstance(part, ImagePart) or (part is not None and part.text.strip()))
    if not said and not is_answer:
        raise invalid(f"{where}.parts", "a text or an image")
    return Message(role, said)


def _part(where: str, part: Any, *, is_answer: bool) -> Part | None:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        if not isinstance(part.get("text"), str):
            raise invalid(f"{where}.text", "text")
        return TextPart(part["text"])
    if kind == "file":
        return None if is_answer else _image(where, part)
    if isinstance(kind, str) and (kind in _PASSED_OVER or kind.startswith(_PASSED_OVER_FAMILIES)):
        return None
    raise invalid(f"{where}.type", "text or file")


def _image(where: str, part: dict[str, Any]) -> ImagePart:
    media_type = part.get("mediaType")
    if not isinstance(media_type, str) or not (media_type.startswith("image/") or media_type == "image"):
        raise invalid(f"{where}.mediaType", "the type of an image, the only kind of file that is supported")
    return ImagePart(read_image_url(f"{where}.url", part.get("url")))
