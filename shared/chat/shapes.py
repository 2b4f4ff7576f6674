"""The request shapes of the chat API: our own, `useChat`'s, the AI Chat Protocol's. Each becomes a `ChatRequest`.

A shape is recognised, never asked for; the options of our own shape (`model`, `temperature` and the rest) are taken beside
the fields of each, and any other field is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from shared.chat.negotiation import CHAT_PROTOCOL, OWN, UI_MESSAGE, best_match
from shared.chat.request import ChatRequest, expected, read_chat_request, read_options
from shared.chat.ui_messages import has_ui_messages, read_ui_messages
from shared.http.json_body import parse_object

_PROTOCOL_FIELDS = ("context", "sessionState")
_PROTOCOL_ADDRESS = "/chat/stream"
_PROTOCOL_CLIENT = "ts-http-runtime/"
"""What `@microsoft/ai-chat-protocol` calls itself, in Node by User-Agent, in a browser by x-ms-useragent."""
_EVENTS_OR_JSON = {"text/event-stream": "events", "application/json": "json"}


def shape_of_call(path: str, headers: Mapping[str, str]) -> str:
    """What can be told before the body is read.

    The AI Chat Protocol's client asks for application/json at both of its addresses, where JSON lines are meant by the one
    that streams (https://github.com/microsoft/ai-chat-protocol/tree/main/spec); our own shape has no JSON there.
    A request with `input` is our own all the same.
    """
    if any(_PROTOCOL_CLIENT in headers.get(name, "") for name in ("user-agent", "x-ms-useragent")):
        return CHAT_PROTOCOL
    wants_json = best_match(headers.get("accept"), _EVENTS_OR_JSON) == "json"
    return CHAT_PROTOCOL if wants_json and path.rstrip("/").endswith(_PROTOCOL_ADDRESS) else OWN


def parse_shaped_request(body: bytes, *, shape_of_call: str) -> tuple[str, ChatRequest]:
    """The request, and the shape it came in. Raises `InvalidJson` or `BadRequest`."""
    fields = parse_object(body)
    shape = _shape_of_body(fields, shape_of_call)
    return shape, _READERS[shape](fields)


def _shape_of_body(fields: dict[str, Any], shape_of_call: str) -> str:
    if "messages" not in fields:
        return OWN
    if has_ui_messages(fields):
        return UI_MESSAGE
    return CHAT_PROTOCOL if any(name in fields for name in _PROTOCOL_FIELDS) else shape_of_call


def _read_ui_request(fields: dict[str, Any]) -> ChatRequest:
    """`id`, `trigger` and `messageId` are the client's own bookkeeping: every request brings the whole conversation."""
    options = read_options(fields, beside=("id", "messages", "trigger", "messageId"))
    return ChatRequest(messages=read_ui_messages(fields["messages"]), **options)


def _read_protocol_request(fields: dict[str, Any]) -> ChatRequest:
    """`context` and `sessionState` go back with the answer, unread."""
    own = {name: value for name, value in fields.items() if name not in _PROTOCOL_FIELDS}
    if isinstance(own.get("messages"), list):
        own["messages"] = [_without_context(message) for message in own["messages"]]
    carried = {name: fields[name] for name in _PROTOCOL_FIELDS if name in fields}
    if carried.get("context") is None:
        carried.pop("context", None)
    elif not isinstance(carried["context"], dict):
        raise expected("context", "an object")
    return replace(read_chat_request(own), carried=carried)


def _without_context(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    return {name: value for name, value in message.items() if name != "context"}


_READERS: dict[str, Callable[[dict[str, Any]], ChatRequest]] = {
    OWN: read_chat_request,
    UI_MESSAGE: _read_ui_request,
    CHAT_PROTOCOL: _read_protocol_request,
}
