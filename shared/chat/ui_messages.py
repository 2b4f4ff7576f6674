"""`useChat`'s messages -> `Message`s: texts and images are taken, what earlier answers left behind is passed over.

The schema is that of the Vercel AI SDK, https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message. It grows, so fields of a
message or a part that are not known here are ignored; a part of an unknown type is an error, because it may carry something
that the model was meant to see.
"""

import msgspec

from shared.chat.fields import Fields, invalid, list_of, object_of, one_of, text_of, value_of
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
_NULL = msgspec.Raw(b"null")
_read_role = one_of(ROLES)


def has_ui_messages(listed: msgspec.Raw) -> bool:
    """Return whether the request's `messages` are `useChat`'s: no other schema's have `parts`."""
    return any("parts" in (object_of(entry) or ()) for entry in list_of(listed) or ())


def read_ui_messages(listed: msgspec.Raw) -> tuple[Message, ...]:
    """Return the conversation. Raise `BadRequest`."""
    entries = check_message_count(listed)
    messages = [_message(f"messages[{index}]", entry) for index, entry in enumerate(entries)]
    kept = tuple(message for message in messages if message.parts)
    if not kept:
        raise invalid("messages", "a message that says something")
    return kept


def _message(where: str, entry: msgspec.Raw) -> Message:
    """Return the message; without parts, to be left out, where it is an answer that failed before it said anything."""
    fields = object_of(entry)
    if fields is None:
        raise invalid(where, "an object with role and parts")
    role, listed = _read_role(f"{where}.role", value_of(fields, "role")), list_of(fields.get("parts", _NULL))
    if listed is None or len(listed) > MAX_PARTS:
        raise invalid(f"{where}.parts", f"a list of at most {MAX_PARTS} parts")
    is_answer = role == "assistant"
    parts = [_part(f"{where}.parts[{index}]", part, is_answer=is_answer) for index, part in enumerate(listed)]
    said = tuple(part for part in parts if isinstance(part, ImagePart) or (part is not None and not part.text.is_blank))
    if not said and not is_answer:
        raise invalid(f"{where}.parts", "a text or an image")
    return Message(role, said)


def _part(where: str, part: msgspec.Raw, *, is_answer: bool) -> Part | None:
    fields = object_of(part) or {}
    kind = value_of(fields, "type")
    if kind == "text":
        text = text_of(fields, "text")
        if text is None:
            raise invalid(f"{where}.text", "text")
        return TextPart(text)
    if kind == "file":
        return None if is_answer else _image(where, fields)
    if isinstance(kind, str) and (kind in _PASSED_OVER or kind.startswith(_PASSED_OVER_FAMILIES)):
        return None
    raise invalid(f"{where}.type", "text or file")


def _image(where: str, fields: Fields) -> ImagePart:
    media_type = value_of(fields, "mediaType")
    if not isinstance(media_type, str) or not (media_type.startswith("image/") or media_type == "image"):
        raise invalid(f"{where}.mediaType", "the type of an image, the only kind of file that is supported")
    return ImagePart(read_image_url(f"{where}.url", fields.get("url", _NULL)))
