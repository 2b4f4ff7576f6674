"""The chunks of chat completions and, with `text`, of legacy completions, as Azure and its likes send them.

https://platform.openai.com/docs/api-reference/chat-streaming, https://platform.openai.com/docs/api-reference/completions
"""

from typing import Any

import msgspec

from shared.errors import ErrorObject
from shared.events import FINISH_REASONS
from shared.upstream.errors import read_error
from shared.upstream.wire.frames import (
    NO_EXPLANATION,
    frame_decoder,
    integer_or_none,
    items_of,
    object_or_none,
    string_or_none,
)
from shared.upstream.wire.usage import CompletionUsage, read_completion_usage

_EMPTY: tuple[Any, ...] = (None, "", [], {})


class Choice(msgspec.Struct):
    """One choice of a chunk. `delta` of chat completions, `text` of legacy completions."""

    index: int | None = None
    delta: dict[str, Any] | None = None
    text: Any = None
    finish_reason: str | None = None


class LaterChunk(msgspec.Struct):
    """As much of a chunk as matters once content has begun: the fields that few chunks have."""

    usage: CompletionUsage | None = None
    error: Any = None


class Chunk(LaterChunk):
    """A chunk. `id` and `model` are empty strings in Azure's annotations, `choices` an empty list in its usage chunk."""

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None


def has_content(chunk: Chunk) -> bool:
    """Return whether the model says anything in it, in whatever field; if not, the chunk is preamble."""
    return any(map(_has_content, chunk.choices or ()))


def _has_content(choice: Choice) -> bool:
    if choice.finish_reason or choice.text not in _EMPTY:
        return True
    return any(name != "role" and value not in _EMPTY for name, value in (choice.delta or {}).items())


def failure_of(chunk: LaterChunk) -> ErrorObject:
    """Return the error of a chunk that has one, in place of choices."""
    return read_error(chunk.error, fallback=NO_EXPLANATION)


def finish_reason_of(value: str) -> str:
    """Return one of `FINISH_REASONS`; a reason that is not known counts as a plain stop."""
    if value == "function_call":
        return "tool_calls"
    return value if value in FINISH_REASONS else "stop"


def _read_chunk(fields: dict[str, Any]) -> Chunk:
    return Chunk(
        id=string_or_none(fields.get("id")),
        model=string_or_none(fields.get("model")),
        choices=[_read_choice(choice) for choice in items_of(fields.get("choices"))],
        usage=read_completion_usage(fields.get("usage")),
        error=fields.get("error"),
    )


def _read_later_chunk(fields: dict[str, Any]) -> LaterChunk:
    return LaterChunk(read_completion_usage(fields.get("usage")), fields.get("error"))


def _read_choice(fields: dict[str, Any]) -> Choice:
    return Choice(
        integer_or_none(fields.get("index")),
        object_or_none(fields.get("delta")),
        fields.get("text"),
        string_or_none(fields.get("finish_reason")),
    )


decode_chunk = frame_decoder(Chunk, _read_chunk)
"""Decode the data of one frame. Raise `UpstreamMalformed`."""

decode_later_chunk = frame_decoder(LaterChunk, _read_later_chunk)
"""Decode the data of one frame without its choices, in 60 % of the time. Raise `UpstreamMalformed`."""
