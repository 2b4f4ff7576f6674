"""The requests of UI kits around the messages: `useChat`, `useCompletion`, and what assistant-ui adds to `useChat`'s.

https://ai-sdk.dev/docs/reference/ai-sdk-ui, https://www.assistant-ui.com/docs/runtimes/ai-sdk/use-chat
"""

from typing import Any

import msgspec

from shared.chat.fields import Fields, check_known, invalid, list_of, object_of, read_filled_text, value_of
from shared.chat.options import read_option, read_options
from shared.chat.request import ChatRequest, Message, TextPart
from shared.chat.ui_messages import read_ui_messages
from shared.errors import BadRequest

_BOOKKEEPING = ("id", "trigger", "messageId", "metadata")
"""Of the client itself, which always sends the complete conversation; passed over."""
_ADDED = ("system", "tools", "callSettings", "config")
_CALL_SETTINGS = {"maxTokens": "max_output_tokens", "temperature": "temperature", "topP": "top_p", "seed": "seed"}
_CONFIG = {"modelName": "model"}
_PASSED_OVER = {"callSettings": ("headers",), "config": ("apiKey", "baseUrl")}
"""For servers that ask the model's service with what the browser gives them; this app asks with its own."""
_NULL = msgspec.Raw(b"null")


def read_ui_request(fields: Fields) -> ChatRequest:
    """Return the request of `useChat` or `useCompletion`. Raise `BadRequest`.

    `system` comes before the conversation. An option that is a field of its own wins over `callSettings` and `config`.
    """
    if "messages" not in fields:
        options = read_options(fields, other=("prompt", *_BOOKKEEPING))
        prompt = TextPart(read_filled_text(fields, "prompt"))
        return ChatRequest(messages=(Message("user", (prompt,)),), **options)
    options = read_options(fields, other=("messages", *_BOOKKEEPING, *_ADDED))
    _check_no_tools(fields.get("tools", _NULL))
    options = _renamed(fields, "callSettings", _CALL_SETTINGS) | _renamed(fields, "config", _CONFIG) | options
    return ChatRequest(messages=(*_system(fields), *read_ui_messages(fields["messages"])), **options)


def _system(fields: Fields) -> tuple[Message, ...]:
    if fields.get("system", _NULL) in (_NULL, msgspec.Raw(b'""')):
        return ()
    return (Message("system", (TextPart(read_filled_text(fields, "system")),)),)


def _check_no_tools(tools: msgspec.Raw) -> None:
    if tools != _NULL and object_of(tools) != {} and list_of(tools) != []:
        raise BadRequest("'tools' is not supported by this API, which calls none; use /v1 for them.", param="tools")


def _renamed(fields: Fields, name: str, names: dict[str, str]) -> dict[str, Any]:
    """Return the options of an object that has other names for them."""
    if fields.get(name, _NULL) == _NULL:
        return {}
    given = object_of(fields[name])
    if given is None:
        raise invalid(name, "an object")
    check_known((one for one in given if given[one] != _NULL), (*names, *_PASSED_OVER[name]), where=f"{name}.")
    values = {one: value_of(given, one) for one in names if one in given}
    return {
        names[one]: read_option(names[one], f"{name}.{one}", value)
        for one, value in values.items()
        if value is not None
    }
