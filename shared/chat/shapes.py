"""The request shapes of the chat API: our own, `useChat`'s, the AI Chat Protocol's. Each becomes a `ChatRequest`.

A shape is recognised, never asked for; the options of our own shape (`model`, `temperature` and the rest) are taken beside
the fields of each, and any other field is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from shared.chat.negotiation import Accept, best_match
from shared.chat.request import ChatRequest, Schema, invalid, read_chat_request, read_options
from shared.chat.ui_messages import has_ui_messages, read_ui_messages
from shared.http.json_body import parse_object

_PROTOCOL_FIELDS = ("context", "sessionState")
_PROTOCOL_ADDRESS = "/chat/stream"
_PROTOCOL_CLIENT = "ts-http-runtime/"
"""What `@microsoft/ai-chat-protocol` calls itself, in Node by User-Agent, in a browser by x-ms-useragent."""
_EVENTS_OR_JSON = (("text/event-stream", "events"), ("application/json", "json"))


def schema_of_call(path: str, headers: Mapping[str, str], accept: Accept) -> Schema:
    """Return the schema as far as it shows without the body: NATIVE or CHAT_PROTOCOL.

    The AI Chat Protocol's client asks for application/json at both of its addresses, and means JSON lines at the one that
    streams (https://github.com/microsoft/ai-chat-protocol/tree/main/spec), where a native request is not offered any JSON.
    A request with `input` is native all the same.
    """
    if any(_PROTOCOL_CLIENT in headers.get(name, "") for name in ("user-agent", "x-ms-useragent")):
        return Schema.CHAT_PROTOCOL
    wants_json = best_match(accept, _EVENTS_OR_JSON) == "json"
    is_protocol = wants_json and path.rstrip("/").endswith(_PROTOCOL_ADDRESS)
    return Schema.CHAT_PROTOCOL if is_protocol else Schema.NATIVE


def parse_chat_request(body: bytes, *, schema_of_call: Schema = Schema.NATIVE) -> tuple[Schema, ChatRequest]:
    """Return the schema that the body is in, and the request. Raise `InvalidJson` or `BadRequest`."""
    fields = parse_object(body)
    schema = _schema_of(fields, schema_of_call)
    return schema, _READERS[schema](fields)


def _schema_of(fields: dict[str, Any], schema_of_call: Schema) -> Schema:
    if "messages" not in fields:
        return Schema.NATIVE
    if has_ui_messages(fields):
        return Schema.UI_MESSAGE
    return Schema.CHAT_PROTOCOL if any(name in fields for name in _PROTOCOL_FIELDS) else schema_of_call


def _read_ui_request(fields: dict[str, Any]) -> ChatRequest:
    """`id`, `trigger` and `messageId` are the client's own bookkeeping: every request brings the whole conversation."""
    options = read_options(fields, beside=("id", "messages", "trigger", "messageId"))
    return ChatRequest(messages=read_ui_messages(fields["messages"]), **options)


def _read_protocol_request(fields: dict[str, Any]) -> ChatRequest:
    """`context` and `sessionState` go back with the answer, unread."""
    own = {name: value for name, value in fields.items() if name not in _PROTOCOL_FIELDS}
    if isinstance(own.get("messages"), list):
        own["messages"] = [_without_context(message) for message in own["messages"]]
    echoed = {name: fields[name] for name in _PROTOCOL_FIELDS if name in fields}
    if echoed.get("context") is None:
        echoed.pop("context", None)
    elif not isinstance(echoed["context"], dict):
        raise invalid("context", "an object")
    return replace(read_chat_request(own), echoed=echoed)


def _without_context(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {name: value for name, value in message.items() if name != "context"}


_READERS: dict[Schema, Callable[[dict[str, Any]], ChatRequest]] = {
    Schema.NATIVE: read_chat_request,
    Schema.UI_MESSAGE: _read_ui_request,
    Schema.CHAT_PROTOCOL: _read_protocol_request,
}
