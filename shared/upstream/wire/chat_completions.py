"""The chunks of chat completions and, with `text`, of legacy completions, as Azure and its likes send them.

https://platform.openai.com/docs/api-reference/chat-streaming, https://platform.openai.com/docs/api-reference/completions
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.errors import ErrorObject
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
_NO_ERROR: tuple[Any, ...] = (*_EMPTY, False)
MAX_CHOICES = 128
"""How many choices of one answer are told apart: as many as OpenAI's API makes at most."""

FAILED = "failed"
_FINISH_REASONS: dict[str, str] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "max_length", "max_output_tokens", "model_length"), "length"),
    **dict.fromkeys(("content_filter", "content_filtered", "safety", "recitation", "refusal"), "content_filter"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "tool_calls"),
    **dict.fromkeys(("error", "failed", "abort", "cancelled", "insufficient_system_resource"), FAILED),
}
"""The words of models beside OpenAI's too, in lower case; any other one is `other`, and never `stop`."""


class Choice(msgspec.Struct):
    """One choice of a chunk. `delta` of chat completions, `text` of legacy completions."""

    index: int | None = None
    delta: dict[str, Any] | None = None
    text: Any = None
    finish_reason: str | None = None


class LaterChoice(msgspec.Struct):
    """As much of a choice as matters once content has begun."""

    index: int | None = None
    finish_reason: str | None = None


class LaterChunk(msgspec.Struct):
    """As much of a chunk as matters once content has begun: the fields that few chunks have, and whether a choice ends."""

    usage: CompletionUsage | None = None
    error: Any = None
    choices: list[LaterChoice] | None = None


class Chunk(msgspec.Struct):
    """A chunk. `id` and `model` are empty strings in Azure's annotations, `choices` an empty list in its usage chunk.

    `message`, `type` and `code` are those of an error that comes without the key `error`.
    """

    id: str | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: CompletionUsage | None = None
    error: Any = None
    message: Any = None
    type: Any = None
    code: Any = None


class Ends:
    """Which choices of one answer have ended: `[DONE]` alone proves nothing, since servers that fail early send it too."""

    def __init__(self) -> None:
        """Begin with no choice seen."""
        self._open: set[int] = set()
        self._ended: set[int] = set()

    @property
    def is_complete(self) -> bool:
        """Whether the model has ended every choice that it began."""
        return bool(self._ended) and not self._open

    def note(self, choices: Sequence[Choice | LaterChoice]) -> bool:
        """Take the choices of the next chunk; return whether one ends in it."""
        has_end = False
        for choice in choices:
            index = choice.index or 0
            if not choice.finish_reason and index in self._open:  # nearly every one
                continue
            if choice.finish_reason:
                has_end = True
                self._open.discard(index)
                if len(self._ended) < MAX_CHOICES:
                    self._ended.add(index)
            elif index not in self._ended and len(self._open) < MAX_CHOICES:
                self._open.add(index)
        return has_end


def has_content(chunk: Chunk) -> bool:
    """Return whether the model says anything in it, in whatever field; if not, the chunk is preamble."""
    return any(map(_has_content, chunk.choices or ()))


def _has_content(choice: Choice) -> bool:
    if choice.finish_reason or choice.text not in _EMPTY:
        return True
    return any(name != "role" and value not in _EMPTY for name, value in (choice.delta or {}).items())


def has_failed(chunk: Chunk) -> bool:
    """Return whether the chunk is an error: one in place of choices, however it is written, or a real one beside them."""
    if chunk.choices is None:
        return chunk.error not in (None, False) or isinstance(chunk.message, str)
    return chunk.error not in _NO_ERROR


def failure_of(chunk: Chunk) -> ErrorObject:
    """Return the error of a chunk that is one."""
    flat = {"message": chunk.message, "type": chunk.type, "code": chunk.code}
    return read_error(flat if chunk.error in _NO_ERROR else chunk.error, fallback=NO_EXPLANATION)


def finish_reason_of(value: str) -> str:
    """Return one of `FINISH_REASONS`, or `FAILED` for a word that says that the answer failed."""
    return _FINISH_REASONS.get(value.lower(), "other")


def _read_chunk(fields: dict[str, Any]) -> Chunk:
    return Chunk(
        id=string_or_none(fields.get("id")),
        model=string_or_none(fields.get("model")),
        choices=[_read_choice(choice) for choice in items_of(fields.get("choices"))],
        usage=read_completion_usage(fields.get("usage")),
        **{name: fields.get(name) for name in ("error", "message", "type", "code")},
    )


def _read_later_chunk(fields: dict[str, Any]) -> LaterChunk:
    found = fields.get("choices")
    choices = None
    if isinstance(found, list):
        choices = [_read_later_choice(choice) for choice in found if isinstance(choice, dict)]
    return LaterChunk(read_completion_usage(fields.get("usage")), fields.get("error"), choices)


def _read_later_choice(fields: dict[str, Any]) -> LaterChoice:
    return LaterChoice(integer_or_none(fields.get("index")), string_or_none(fields.get("finish_reason")))


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
"""Decode the data of one frame without what its choices say, in 70 % of the time. Raise `UpstreamMalformed`."""
