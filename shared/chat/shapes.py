"""The request schemas of the chat API: the native one, those of UI kits, the AI Chat Protocol's. Each becomes a `ChatRequest`.

A schema is recognized, never asked for. The options of the native one (`model`, `temperature` and the rest) are taken next to
the fields of each, and any other field is an error.
"""

from collections.abc import Callable, Mapping

import msgspec

from shared.chat.fields import Fields, invalid, object_of, read_filled_text
from shared.chat.messages import read_messages
from shared.chat.negotiation import Accept, weight
from shared.chat.options import read_options
from shared.chat.request import ChatRequest, Message, Schema, TextPart
from shared.chat.ui_messages import has_ui_messages
from shared.chat.ui_request import read_ui_request
from shared.errors import BadRequest
from shared.http.json_body import parse_fields

MAX_VALUES = 100_000
"""How many values a body may hold: all of them are decoded here."""

_PROTOCOL_FIELDS = ("context", "sessionState", "session_state")
"""`session_state` is what the front ends of Azure's search samples call it."""
_PROTOCOL_ADDRESS = "/chat/stream"
_PROTOCOL_CLIENT = "ts-http-runtime/"
"""What `@microsoft/ai-chat-protocol` calls itself, in Node by User-Agent, in a browser by x-ms-useragent."""

_NULL = msgspec.Raw(b"null")


def schema_of_call(path: str, headers: Mapping[str, str], accept: Accept) -> Schema:
    """Return the schema as far as it shows without the body: NATIVE or CHAT_PROTOCOL.

    The AI Chat Protocol's client asks for application/json at both of its addresses, and means JSON lines at the one that
    streams (https://github.com/microsoft/ai-chat-protocol/tree/main/spec), where a native request is not offered any JSON.
    A request with `input` is native all the same.
    """
    if any(_PROTOCOL_CLIENT in headers.get(name, "") for name in ("user-agent", "x-ms-useragent")):
        return Schema.CHAT_PROTOCOL
    wants_json = weight("application/json", accept) > weight("text/event-stream", accept)
    is_protocol = wants_json and path.rstrip("/").endswith(_PROTOCOL_ADDRESS)
    return Schema.CHAT_PROTOCOL if is_protocol else Schema.NATIVE


def parse_chat_request(body: bytes, *, schema_of_call: Schema = Schema.NATIVE) -> tuple[Schema, ChatRequest]:
    """Return the schema that the body is in, and the request. Raise `InvalidJson` or `BadRequest`."""
    fields = parse_fields(body, max_values=MAX_VALUES, keeps_surrogates=False)
    schema = _schema_of(fields, schema_of_call)
    return schema, _READERS[schema](fields)


def _schema_of(fields: Fields, schema_of_call: Schema) -> Schema:
    if "messages" not in fields:
        return Schema.UI_MESSAGE if "prompt" in fields and "input" not in fields else Schema.NATIVE
    if has_ui_messages(fields["messages"]):
        return Schema.UI_MESSAGE
    return Schema.CHAT_PROTOCOL if any(name in fields for name in _PROTOCOL_FIELDS) else schema_of_call


def _read_native(fields: Fields) -> ChatRequest:
    options = read_options(fields, other=("input", "messages"))
    return ChatRequest(messages=_conversation(fields), **options)


def _conversation(fields: Fields, *, ignored: tuple[str, ...] = ()) -> tuple[Message, ...]:
    """Return the conversation. `ignored`: what a message may have besides role and content."""
    given = [name for name in ("input", "messages") if fields.get(name, _NULL) != _NULL]
    if len(given) != 1:
        found = "Both 'input' and 'messages' are given" if given else "Neither 'input' nor 'messages' is given"
        raise BadRequest(f"{found}; expected exactly one of them.", param="input")
    if given == ["messages"]:
        return read_messages(fields["messages"], ignored=ignored)
    return (Message("user", (TextPart(read_filled_text(fields, "input")),)),)


def _read_chat_protocol(fields: Fields) -> ChatRequest:
    """Take `context` and the session's state for the answer, without reading them."""
    options = read_options(fields, other=("input", "messages", *_PROTOCOL_FIELDS))
    echoed = {name: _on_one_line(fields[name]) for name in _PROTOCOL_FIELDS if name in fields}
    if echoed.get("context", _NULL) == _NULL:
        echoed.pop("context", None)
    elif object_of(echoed["context"]) is None:
        raise invalid("context", "an object")
    return ChatRequest(messages=_conversation(fields, ignored=("context",)), echoed=echoed, **options)


def _on_one_line(value: msgspec.Raw) -> msgspec.Raw:
    """Return the JSON without line ends, which can only stand between its tokens."""
    return msgspec.Raw(bytes(value).replace(b"\n", b" ").replace(b"\r", b" "))


_READERS: dict[Schema, Callable[[Fields], ChatRequest]] = {
    Schema.NATIVE: _read_native,
    Schema.UI_MESSAGE: read_ui_request,
    Schema.CHAT_PROTOCOL: _read_chat_protocol,
}
