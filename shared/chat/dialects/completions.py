"""Legacy completions: a prompt goes up; chunks with `text` and `finish_reason` come down.

https://platform.openai.com/docs/api-reference/completions. The framing and the chunk are those of chat completions.
"""

from typing import Any

import msgspec

from shared.chat.dialects.chat import Decoder
from shared.chat.json_text import JsonText
from shared.chat.request import ChatRequest, ImagePart
from shared.config.backends import Backend
from shared.errors import BadRequest

__all__ = ["PATH", "Decoder", "request_body"]

PATH = "completions"
_SPEAKERS = {
    "system": JsonText.of("System: "),
    "developer": JsonText.of("System: "),
    "user": JsonText.of("User: "),
    "assistant": JsonText.of("Assistant: "),
}
_NEXT, _ASSISTANT = JsonText.of("\n\n"), JsonText.of("Assistant:")


def request_body(request: ChatRequest, deployment: str, *, backend: Backend) -> bytes:  # noqa: ARG001 - a `RequestBody`
    """Return the JSON of the upstream's request. Raise `BadRequest` for what a prompt of text cannot carry."""
    if any(isinstance(part, ImagePart) for message in request.messages for part in message.parts):
        raise BadRequest(
            "Images are not supported by this deployment, which uses the legacy completions API.", param="messages"
        )
    if request.reasoning_effort is not None:
        raise BadRequest(
            "'reasoning_effort' is not supported by this deployment, which uses the legacy completions API.",
            param="reasoning_effort",
        )
    body: dict[str, Any] = {
        "model": deployment,
        "prompt": _prompt(request).literal,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_output_tokens,
        "stop": request.stop,
        "seed": request.seed,
    }
    return msgspec.json.encode({name: value for name, value in body.items() if value is not None})


def _prompt(request: ChatRequest) -> JsonText:
    """Return an only text as it is, a conversation written out up to where the assistant's turn begins."""
    if len(request.messages) == 1 and request.messages[0].role == "user":
        return request.messages[0].text
    turns = [(_SPEAKERS[message.role], message.text, _NEXT) for message in request.messages]
    return JsonText.joined([*(piece for turn in turns for piece in turn), _ASSISTANT])
