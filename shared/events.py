"""What can happen in an answer of the chat API: one frozen type per event, and the end is an event.

The JSON of an event is its wire form in every format of the chat API that carries events (see `encoders`).
"""

import msgspec

from shared.errors import ErrorObject


class Event(msgspec.Struct, frozen=True, tag_field="type"):
    """The base of all events; never made itself."""


class Started(Event, frozen=True, tag="started"):
    """The answer has begun: the upstream's id for it, and the model that answers."""

    id: str
    model: str


class Delta(Event, frozen=True, tag="delta"):
    """The next piece of the answer's text."""

    text: str


class Reasoning(Event, frozen=True, tag="reasoning"):
    """The next piece of the model's reasoning, where the model shows it."""

    text: str


class Step(Event, frozen=True, tag="step"):
    """Something the model does besides writing, such as a search: its name and where it stands."""

    name: str
    status: str


class Usage(Event, frozen=True, tag="usage"):
    """What the answer cost, in tokens."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Finished(Event, frozen=True, tag="finished"):
    """The model ended the answer, for the reason that the upstream gave."""

    finish_reason: str


class Failed(Event, frozen=True, tag="failed"):
    """The answer ended, and the model did not end it."""

    error: ErrorObject


FINISH_REASONS = frozenset({"stop", "length", "content_filter", "tool_calls"})
"""What `Finished.finish_reason` can be; the legacy `function_call` counts as `tool_calls`."""
