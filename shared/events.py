"""What can happen in an answer of the chat API: one frozen type per event, and the end is an event.

The JSON of an event, with its tag as `type`, is its wire form in every format of the chat API that carries events (see
`encoders`). A new event is a class here and a member of `AnswerEvent`; then mypy names every encoder that leaves it out.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.errors import ErrorObject


class Event(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all events; never instantiated. `AnswerEvent` is the type to annotate with."""


class Started(Event, frozen=True, tag="started", omit_defaults=True):
    """The answer has begun: the upstream's id for it, and the model that answers.

    `resume` is the id under which its caller can take the answer up again; '' where nobody can.
    """

    id: str
    model: str
    resume: str = ""


class Delta(Event, frozen=True, tag="delta"):
    """The next piece of the answer's text."""

    text: str


class Reasoning(Event, frozen=True, tag="reasoning"):
    """The next piece of the model's reasoning, where the model shows it."""

    text: str


class Step(Event, frozen=True, tag="step", omit_defaults=True):
    """Something done for the answer other than writing it, such as a search: its name and its status.

    `detail` is what is known of it by then, in JSON: the query of a search, how many passages it found.
    """

    name: str
    status: str
    detail: Mapping[str, Any] | None = None


class Source(Event, frozen=True, tag="source"):
    """Something that the answer can refer to. `id` is unique within the answer.

    `url` is an http or https address, '' where there is none to show. `excerpt` is text of the source, not to be trusted.
    """

    id: str
    title: str
    url: str = ""
    excerpt: str = ""


class Citation(Event, frozen=True, tag="citation"):
    """A piece of the answer refers to a source: from `start` up to `end`, in characters (code points) of its text so far."""

    source: str
    start: int
    end: int


class Usage(Event, frozen=True, tag="usage"):
    """What the answer cost, in tokens. `cached_tokens` are part of the input, `reasoning_tokens` of the output."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    reasoning_tokens: int = 0


class Finished(Event, frozen=True, tag="finished"):
    """The model ended the answer, for one of `FINISH_REASONS`."""

    finish_reason: str


class Failed(Event, frozen=True, tag="failed"):
    """The answer ended, and the model did not end it."""

    error: ErrorObject


type AnswerEvent = Started | Delta | Reasoning | Step | Source | Citation | Usage | Finished | Failed
"""Every event there is. A `match` over it ends in `assert_never`."""

FINISH_REASONS = frozenset({"stop", "length", "content_filter", "tool_calls", "other"})
"""The values of `Finished.finish_reason`; `other` is a reason that is not known, and so perhaps no good end."""

ENDED_STEPS = frozenset({"finished", "completed", "failed"})
"""The values of `Step.status` after which a step of the same name is another one."""
