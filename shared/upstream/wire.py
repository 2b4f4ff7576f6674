"""What the dialects share: decoding one frame's JSON, and the shapes of usage."""

import contextlib
import json
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import msgspec

from shared.errors import UpstreamMalformed
from shared.events import FINISH_REASONS, Usage
from shared.surrogates import replace_surrogates


def decode_frame[T](decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Decodes as much of the frame as the decoder's type asks for. Raises `UpstreamMalformed`.

    msgspec refuses lone surrogates, which a model's text may have when a character is split between two events. An
    optional field of another type than expected counts as absent: what no rule needs may be whatever it likes.
    """
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        fitting: T = _fitting(replace_surrogates(json.loads(data, parse_float=_no_float)), decoder.type)
    except (ValueError, RecursionError) as error:  # msgspec.ValidationError is a ValueError
        raise UpstreamMalformed("The model's service sent an event that is not valid JSON.") from error
    return fitting


def _fitting(value: Any, kind: Any) -> Any:
    """The value as far as it has the expected shape. Raises `msgspec.ValidationError` where it has another altogether."""
    if get_origin(kind) is UnionType:
        kind = next(one for one in get_args(kind) if one is not NoneType)
        return None if value is None else _fitting(value, kind)
    if get_origin(kind) is list:
        return [_fitting(item, get_args(kind)[0]) for item in msgspec.convert(value, list)]
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return msgspec.json.decode(json.dumps(value), type=kind)
    value = msgspec.convert(value, dict)
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        kinds = get_args(field.type)
        # A list is what is said: to lose it would be to lose words in silence.
        may_be_odd = NoneType in kinds and not any(get_origin(one) is list for one in kinds)
        with contextlib.suppress(msgspec.ValidationError) if may_be_odd else contextlib.nullcontext():
            if field.name in value:
                found[field.name] = _fitting(value[field.name], field.type)
    return kind(**found)


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
    """The upstream's reason in the four words of the chat API; an unknown one counts as a plain stop."""
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


class Body(msgspec.Struct):
    """As much of a complete, non-streaming answer as is looked at."""

    id: str | None = None
    usage: Any = None

    def event(self) -> Usage | None:
        """Return the usage as an event; None where there is none that can be read."""
        if not isinstance(self.usage, dict):
            return None
        try:
            if "input_tokens" in self.usage:
                return msgspec.convert(self.usage, ResponseUsage).event()
            return msgspec.convert(self.usage, CompletionUsage).event()
        except msgspec.ValidationError:
            return None


_BODY = msgspec.json.Decoder(Body)


def read_body(data: bytes) -> Body:
    """Return what is looked at of a complete answer; an empty `Body` where it is not a JSON object."""
    try:
        return decode_frame(_BODY, data)
    except UpstreamMalformed:
        return Body()
