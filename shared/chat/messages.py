"""The native schema's conversation -> `Message`s: `{"role": …, "content": …}`, content as text or as a list of parts."""

from typing import Any

from shared.chat.fields import invalid, one_of, read_object, read_text
from shared.chat.request import ImagePart, Message, Part, TextPart

ROLES = ("system", "developer", "user", "assistant")
MAX_MESSAGES = 2048
MAX_PARTS = 2048
"""Of one message."""

_read_role = one_of(ROLES)


def check_message_count(listed: Any) -> None:
    """Raise `BadRequest` unless it is a list of as many messages as are allowed."""
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_MESSAGES:
        raise invalid("messages", f"a list of 1 to {MAX_MESSAGES} messages")


def read_messages(listed: Any) -> tuple[Message, ...]:
    """Return the conversation of the field `messages`. Raise `BadRequest`."""
    check_message_count(listed)
    return tuple(_message(f"messages[{index}]", entry) for index, entry in enumerate(listed))


def _message(where: str, entry: Any) -> Message:
    fields = read_object(where, entry, ("role", "content"))
    role = _read_role(f"{where}.role", fields.get("role"))
    content = fields.get("content")
    if isinstance(content, str):
        return Message(role, (TextPart(read_text(f"{where}.content", content)),))
    if not isinstance(content, list) or not 1 <= len(content) <= MAX_PARTS:
        raise invalid(f"{where}.content", f"text, or a list of 1 to {MAX_PARTS} parts")
    parts = tuple(_part(f"{where}.content[{index}]", part) for index, part in enumerate(content))
    if not any(isinstance(part, ImagePart) or part.text.strip() for part in parts):
        raise invalid(f"{where}.content", "text that is not empty")
    return Message(role, parts)


def _part(where: str, part: Any) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text":
        text = read_object(where, part, ("type", "text")).get("text")
        if not isinstance(text, str):
            raise invalid(f"{where}.text", "text")
        return TextPart(text)
    if kind == "image_url":
        image = read_object(where, part, ("type", "image_url")).get("image_url")
        return _image(f"{where}.image_url", {"url": image} if isinstance(image, str) else image)
    raise invalid(f"{where}.type", "text or image_url")


def _image(where: str, image: Any) -> ImagePart:
    fields = read_object(where, image, ("url", "detail"))
    url, detail = read_image_url(f"{where}.url", fields.get("url")), fields.get("detail")
    if detail not in (None, "auto", "low", "high"):
        raise invalid(f"{where}.detail", "auto, low or high")
    return ImagePart(url, detail)


def read_image_url(name: str, value: Any) -> str:
    """Return an address that the upstream may be given. Raise `BadRequest`."""
    if not isinstance(value, str) or not value.startswith(("https://", "data:image/")):
        raise invalid(name, "an https address or a data:image/ URL")
    return value
