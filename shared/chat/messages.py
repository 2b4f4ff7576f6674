"""The native schema's conversation -> `Message`s: `{"role": …, "content": …}`, content as text or as a list of parts."""

import msgspec

from shared.chat.fields import Fields, check_known, invalid, list_of, object_of, one_of, read_object, text_of, value_of
from shared.chat.json_text import is_text, is_wide
from shared.chat.request import ImagePart, Message, Part, TextPart
from shared.http.json_body import decode_value

ROLES = ("system", "developer", "user", "assistant")
MAX_MESSAGES = 2048
MAX_PARTS = 2048
"""Of one message."""

_NULL = msgspec.Raw(b"null")
_read_role = one_of(ROLES)


def check_message_count(listed: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the entries of a list that has as many messages as are allowed. Raise `BadRequest` for anything else."""
    entries = list_of(listed)
    if entries is None or not 1 <= len(entries) <= MAX_MESSAGES:
        raise invalid("messages", f"a list of 1 to {MAX_MESSAGES} messages")
    return entries


def read_messages(listed: msgspec.Raw, *, ignored: tuple[str, ...] = ()) -> tuple[Message, ...]:
    """Return the conversation of the field `messages`. Raise `BadRequest`. `ignored`: what a message may have besides."""
    entries = check_message_count(listed)
    return tuple(_message(f"messages[{index}]", entry, ignored) for index, entry in enumerate(entries))


def _message(where: str, entry: msgspec.Raw, ignored: tuple[str, ...]) -> Message:
    fields = read_object(where, entry, ("role", "content"), ignored=ignored)
    role = _read_role(f"{where}.role", value_of(fields, "role"))
    text = text_of(fields, "content")
    if text is not None:
        if text.is_blank:
            raise invalid(f"{where}.content", "text that is not empty")
        return Message(role, (TextPart(text),))
    listed = list_of(fields.get("content", _NULL))
    if listed is None or not 1 <= len(listed) <= MAX_PARTS:
        raise invalid(f"{where}.content", f"text, or a list of 1 to {MAX_PARTS} parts")
    parts = tuple(_part(f"{where}.content[{index}]", part) for index, part in enumerate(listed))
    if not any(isinstance(part, ImagePart) or not part.text.is_blank for part in parts):
        raise invalid(f"{where}.content", "text that is not empty")
    return Message(role, parts)


def _part(where: str, part: msgspec.Raw) -> Part:
    fields = object_of(part) or {}
    kind = value_of(fields, "type")
    if kind == "text":
        check_known(fields, ("type", "text"), where=f"{where}.")
        text = text_of(fields, "text")
        if text is None:
            raise invalid(f"{where}.text", "text")
        return TextPart(text)
    if kind == "image_url":
        check_known(fields, ("type", "image_url"), where=f"{where}.")
        image = fields.get("image_url", _NULL)
        where = f"{where}.image_url"
        return _image(where, {"url": image} if is_text(image) else read_object(where, image, ("url", "detail")))
    raise invalid(f"{where}.type", "text or image_url")


def _image(where: str, fields: Fields) -> ImagePart:
    detail = value_of(fields, "detail")
    url = read_image_url(f"{where}.url", fields.get("url", _NULL))
    if detail not in (None, "auto", "low", "high"):
        raise invalid(f"{where}.detail", "auto, low or high")
    return ImagePart(url, detail)


def read_image_url(name: str, value: msgspec.Raw) -> str:
    """Return an address that the upstream may be given. Raise `BadRequest`."""
    url = decode_value(value) if is_text(value) and not is_wide(value) else None
    if not isinstance(url, str) or not url.startswith(("https://", "data:image/")):
        raise invalid(name, "an https address or a data:image/ URL")
    return url
