"""What the dialects share: decoding one frame's JSON, and the shapes of usage."""

import json
from typing import Any

import msgspec

from shared.errors import UpstreamMalformed
from shared.events import FINISH_REASONS, Usage
from shared.json_body import replace_surrogates


def decode_frame[T](decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Decodes as much of the frame as the decoder's type asks for. Raises `UpstreamMalformed`.

    msgspec refuses lone surrogates, which a model's text may have when a character is split between two events.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return decoder.decode(json.dumps(replace_surrogates(json.loads(data, parse_float=_no_float))))
    except (ValueError, RecursionError) as error:  # msgspec.ValidationError is a ValueError
        raise UpstreamMalformed("The model's service sent an event that is not valid JSON.") from error


def _no_float(_text: str) -> float:
    """No dialect reads a fraction, and one that Python takes for infinite could not be written again."""
    return 0.0


def text_of(value: Any) -> str:
    """Text, wherever a model puts it: a string, or (Mistral and others) a list of parts with `text`."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(text_of(part.get("text")) for part in value if isinstance(part, dict))
    return ""


def finish_reason_of(value: str) -> str:
    """The upstream's reason in the four words of the chat face; an unknown one counts as a plain stop."""
    if value == "function_call":
        return "tool_calls"
    return value if value in FINISH_REASONS else "stop"


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class CompletionUsage(msgspec.Struct):
    """https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage"""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None

    def event(self) -> Usage:
        """The usage as an event."""
        return Usage(
            self.prompt_tokens or 0,
            self.completion_tokens or 0,
            (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0,
            (self.completion_tokens_details and self.completion_tokens_details.reasoning_tokens) or 0,
        )


class ResponseUsage(msgspec.Struct):
    """https://platform.openai.com/docs/api-reference/responses/object#responses-object-usage"""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _PromptDetails | None = None
    output_tokens_details: _CompletionDetails | None = None

    def event(self) -> Usage:
        """The usage as an event."""
        return Usage(
            self.input_tokens or 0,
            self.output_tokens or 0,
            (self.input_tokens_details and self.input_tokens_details.cached_tokens) or 0,
            (self.output_tokens_details and self.output_tokens_details.reasoning_tokens) or 0,
        )
