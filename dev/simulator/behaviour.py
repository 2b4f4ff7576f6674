"""Behaviours: how one answer is to be given, bad habits included. Parsed once; a name it doesn't know is an error."""

import json
from typing import Any, Literal

import msgspec

MARK = "[[sim "

Oddity = Literal["missing_delta", "null_delta", "null_content", "empty_choices", "unknown_event", "unknown_field"]


class BehaviourError(ValueError):
    """The text is no behaviour; says why."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of everything in a behaviour: frozen, and strict about names."""


class ToolCall(Part, frozen=True):
    name: str
    arguments: str | dict[str, Any] = "{}"

    @property
    def arguments_text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


class Usage(Part, frozen=True):
    prompt: int | None = None
    completion: int | None = None
    cached: int = 0
    reasoning: int = 0


class InStreamError(Part, frozen=True):
    """An error inside a 200 stream (see the `error` event of the Responses API, which is seen nested and flat)."""

    at: Literal["before_content"] | int = "before_content"
    """Right after the opening frames, or before the piece of this number, counted from 0."""
    shape: Literal["nested", "flat"] = "nested"
    order: Literal["failed_first", "error_first", "error_only", "failed_only"] = "failed_first"
    code: str | None = "rate_limit_exceeded"
    type: str | None = "too_many_requests"
    message: str = "Simulated: too many requests in the middle of a stream."
    done: bool = False
    """Chat and completions: whether `[DONE]` still follows."""


class Behaviour(Part, frozen=True, omit_defaults=True):
    """Every field is free to be combined with any other; `python -m dev.simulator --behaviours` prints the JSON Schema."""

    repeat: bool = False
    """Stays in its queue instead of being used up."""
    on: Literal["answer", "retrieval", "models"] = "answer"
    """What kind of request takes it: a POST for an answer, a request about a stored response, or a list of models."""

    # What is said.
    text: str | None = None
    tokens: int | list[str] | None = None
    """The pieces themselves, or how many there are to be."""
    reasoning: str | None = None
    refusal: str | None = None
    tool_call: ToolCall | list[ToolCall] | None = None
    logprobs: bool | None = None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"] | None = None
    usage: bool | Usage | None = None
    """False: never sent, whoever asks."""
    event_bytes: int | None = None
    """The first piece is this many bytes long."""
    surrogate: bool = False
    """The first piece holds a lone surrogate, escaped in the JSON."""
    raw: str | list[tuple[float, str]] | None = None
    """The body's exact bytes in base64, or [delay, base64] writes. `status`, `headers` and `end` still hold."""

    # When.
    never_answer: bool = False
    accept_delay: float = 0.0
    header_delay: float = 0.0
    start_delay: float = 0.0
    """Silence after the head and the opening frames, before the first content."""
    interval: float | None = None
    """Seconds between pieces; None is the simulator's own (`--interval`)."""
    keepalive: float | None = None
    """Responses: a keepalive event after so many seconds of silence, each using up a sequence number."""

    # How it is written.
    burst: int = 1
    """Frames per write; 0 holds everything back for one write at the end."""
    cut_bytes: int | None = None
    cut_seed: int | None = None
    """Cuts at random places, the same ones for the same seed."""
    line_end: Literal["\n", "\r\n", "\r"] = "\n"
    comments: int = 0
    """A comment after every so many frames; 0 for none."""
    comment: str = ": simulated\n\n"
    gzip: bool = False
    sndbuf: int | None = None
    """The socket's send buffer in bytes: a small one proves back-pressure sooner."""
    close: bool = False
    """Says `connection: close`."""
    headers: dict[str, str | None] = {}
    """More response headers; None takes one away."""

    # Refusals.
    status: int | None = None
    error: str | dict[str, Any] | None = None
    """The error's code, or the error object itself, or with `{"error": …}` the whole body."""

    # Faults in the answer.
    in_stream_error: InStreamError | None = None
    end: Literal["done", "eof", "reset", "cut", "stall", "malformed", "huge_frame"] = "done"
    after: int | None = None
    """`end` comes after so many pieces: 0 is before the first, -1 before the head, None after the last."""
    huge_bytes: int = 4 * 1024 * 1024
    empty_before: int = 0
    """So many content-free frames before the first content, `interval` apart."""
    odd: list[Oddity] = []
    """Before the first piece and every fifth one: a frame of each of these kinds."""
    no_id: bool = False
    null_fields: bool = False

    # A stored response (Responses API).
    missing_for: float = 0.0
    """Retrieval answers 404 for so many seconds after the response ended."""
    resume_refused: bool = False

    # The whole backend, at once (control API only).
    refuse_connection: bool | float = False
    """Connections are refused, for so many seconds or until the next behaviours."""
    drop_connection: bool | float = False
    """Connections are neither accepted nor refused: the client's connect times out."""

    @property
    def calls(self) -> list[ToolCall]:
        if self.tool_call is None:
            return []
        return self.tool_call if isinstance(self.tool_call, list) else [self.tool_call]


def behaviour(value: Any) -> Behaviour:
    try:
        return msgspec.convert(value, Behaviour)
    except msgspec.ValidationError as error:
        raise BehaviourError(f"not a behaviour: {error}") from error


def from_header(text: str, backend: str) -> Behaviour:
    try:
        return _for_backend(json.loads(text), backend)
    except json.JSONDecodeError as error:
        raise BehaviourError(f"x-simulate is not JSON: {error}") from error


def from_prompt(prompt: str, backend: str) -> Behaviour | None:
    """The behaviour in `[[sim {…}]]`, if the prompt has one."""
    span = _span(prompt)
    return None if span is None else _for_backend(span[2], backend)


def without_mark(prompt: str) -> str:
    span = _span(prompt)
    return prompt if span is None else (prompt[: span[0]] + prompt[span[1] :]).strip()


def _span(prompt: str) -> tuple[int, int, Any] | None:
    start = prompt.find(MARK)
    if start < 0:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(prompt, start + len(MARK))
    except json.JSONDecodeError as error:
        raise BehaviourError(f"[[sim …]] holds no JSON: {error}") from error
    if prompt[end : end + 2] != "]]":
        raise BehaviourError("[[sim {…}]] does not end in ]]")
    return start, end + 2, value


def _for_backend(value: Any, backend: str) -> Behaviour:
    if isinstance(value, dict) and "backends" in value:
        if not isinstance(value["backends"], dict) or len(value) > 1:
            raise BehaviourError('"backends" stands alone and maps names to behaviours')
        value = value["backends"].get(backend, {})
    return behaviour(value)
