"""What an answer cost: the usage objects of the upstream APIs, which differ in their names."""

from typing import Any

import msgspec

from shared.events import Usage
from shared.upstream.wire.frames import integer_or_none, object_or_none


class _InputDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class CompletionUsage(msgspec.Struct):
    """https://platform.openai.com/docs/api-reference/chat/object#chat-object-usage."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None

    def event(self) -> Usage:
        """Return the usage as an event; what the upstream left out counts as 0 tokens."""
        return _event(
            self.prompt_tokens, self.completion_tokens, self.prompt_tokens_details, self.completion_tokens_details
        )


class ResponseUsage(msgspec.Struct):
    """https://platform.openai.com/docs/api-reference/responses/object#responses-object-usage."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None

    def event(self) -> Usage:
        """Return the usage as an event; what the upstream left out counts as 0 tokens."""
        return _event(self.input_tokens, self.output_tokens, self.input_tokens_details, self.output_tokens_details)


def _event(
    inputs: int | None, outputs: int | None, input_details: _InputDetails | None, output_details: _OutputDetails | None
) -> Usage:
    cached = input_details.cached_tokens if input_details else None
    reasoning = output_details.reasoning_tokens if output_details else None
    return Usage(inputs or 0, outputs or 0, cached or 0, reasoning or 0)


def read_completion_usage(value: Any) -> CompletionUsage | None:
    """Return what can be read of a usage object of (chat) completions; None where it is not an object."""
    fields = object_or_none(value)
    if fields is None:
        return None
    return CompletionUsage(
        integer_or_none(fields.get("prompt_tokens")),
        integer_or_none(fields.get("completion_tokens")),
        _input_details(fields.get("prompt_tokens_details")),
        _output_details(fields.get("completion_tokens_details")),
    )


def read_response_usage(value: Any) -> ResponseUsage | None:
    """Return what can be read of a usage object of the Responses API; None where it is not an object."""
    fields = object_or_none(value)
    if fields is None:
        return None
    return ResponseUsage(
        integer_or_none(fields.get("input_tokens")),
        integer_or_none(fields.get("output_tokens")),
        _input_details(fields.get("input_tokens_details")),
        _output_details(fields.get("output_tokens_details")),
    )


def _input_details(value: Any) -> _InputDetails | None:
    fields = object_or_none(value)
    return None if fields is None else _InputDetails(integer_or_none(fields.get("cached_tokens")))


def _output_details(value: Any) -> _OutputDetails | None:
    fields = object_or_none(value)
    return None if fields is None else _OutputDetails(integer_or_none(fields.get("reasoning_tokens")))
