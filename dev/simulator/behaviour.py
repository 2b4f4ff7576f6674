"""Behaviours: how to give one answer, including faults. Parsed once; an unknown field is an error."""

import json
from typing import Any, Literal

import msgspec

MARK = "[[sim "

Oddity = Literal["missing_delta", "null_delta", "null_content", "empty_choices", "unknown_event", "unknown_field"]


class BehaviourError(ValueError):
    """The text is not a valid behaviour; the message gives the reason."""


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of all parts of a behaviour: frozen, and strict about field names."""


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
    """An error inside a 200 stream (like the `error` event of the Responses API, which occurs nested and flat)."""

    at: Literal["before_content"] | int = "before_content"
    """Sent right after the opening frames, or before the piece with this number, counted from 0."""
    shape: Literal["nested", "flat"] = "nested"
    order: Literal["failed_first", "error_first", "error_only", "failed_only"] = "failed_first"
    code: str | None = "rate_limit_exceeded"
    type: str | None = "too_many_requests"
    message: str = "Simulated: too many requests in the middle of a stream."
    done: bool = False
    """Chat and completions: whether `[DONE]` follows."""


class Behaviour(Part, frozen=True, omit_defaults=True):
    """All fields can be combined; `python -m dev.simulator --behaviours` prints the JSON Schema."""

    repeat: bool = False
    """Keep it in the queue after use."""
    on: Literal["answer", "retrieval", "models", "objects"] = "answer"
    """The type of request it applies to: a POST for an answer, one about a stored response, models, or files and batches."""

    # Content.
    text: str | None = None
    tokens: int | list[str] | None = None
    """The pieces, or their number."""
    reasoning: str | None = None
    refusal: str | None = None
    tool_call: ToolCall | list[ToolCall] | None = None
    after_tools: str | None = None
    """The text once the newest message is a tool's result; without it the same calls are made again."""
    logprobs: bool | None = None
    finish_reason: Literal["stop", "length", "content_filter", "tool_calls"] | None = None
    usage: bool | Usage | None = None
    """False: never sent, even if requested."""
    event_bytes: int | None = None
    """Length of the first piece in bytes."""
    surrogate: bool = False
    """The first piece contains a lone surrogate, escaped in the JSON."""
    raw: str | list[tuple[float, str]] | None = None
    """The body's exact bytes in base64, or [delay, base64] writes. `status`, `headers` and `end` still apply."""

    # Timing.
    never_answer: bool = False
    accept_delay: float = 0.0
    header_delay: float = 0.0
    start_delay: float = 0.0
    """Delay in seconds between the opening frames and the first content."""
    interval: float | None = None
    """Seconds between pieces; None: the simulator's `--interval`."""
    keepalive: float | None = None
    """Responses: send a keepalive event after this many seconds without output; each takes a sequence number."""

    # Writing.
    burst: int = 1
    """Frames per write; 0: a single write at the end."""
    cut_bytes: int | None = None
    cut_seed: int | None = None
    """Split at random positions, the same for the same seed."""
    line_end: Literal["\n", "\r\n", "\r"] = "\n"
    comments: int = 0
    """Send a comment after this many frames; 0 for none."""
    comment: str = ": simulated\n\n"
    gzip: bool = False
    sndbuf: int | None = None
    """The socket's send buffer in bytes: a small one causes back-pressure sooner."""
    close: bool = False
    """Send `connection: close`."""
    headers: dict[str, str | None] = {}
    """Additional response headers; None removes one."""

    # Error responses.
    status: int | None = None
    error: str | dict[str, Any] | None = None
    """The error's code, or the error object itself, or with `{"error": …}` the whole body."""

    # Faults.
    in_stream_error: InStreamError | None = None
    end: Literal["done", "eof", "reset", "cut", "stall", "malformed", "huge_frame"] = "done"
    after: int | None = None
    """Number of pieces before `end`: 0: before the first, -1: before the head, None: after the last."""
    end_delay: float | None = None
    """Seconds between the last piece and a `reset` or `cut`, by default 0.2: a client that meets the end of the connection
    before it has read the piece may drop it. 0 leaves that to chance."""
    huge_bytes: int = 4 * 1024 * 1024
    empty_before: int = 0
    """Number of frames without content before the first content, `interval` apart."""
    odd: list[Oddity] = []
    """Kinds of unusual frames to send before the first piece and every fifth one."""
    no_id: bool = False
    null_fields: bool = False

    # A stored response (Responses API).
    missing_for: float = 0.0
    """Seconds after the end of the response during which retrieval returns 404."""
    resume_refused: bool = False
    resume_window: float | None = None
    """Seconds after the beginning of the response during which its stream can be taken up again; None: always."""

    # The backend as a whole, applied at once (control API only).
    refuse_connection: bool | float = False
    """Refuse connections for this many seconds, or (true) until the next behaviours."""
    drop_connection: bool | float = False
    """Neither accept nor refuse connections, so that the client's connect times out."""

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
    """Return the behaviour in `[[sim {…}]]`, or None."""
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
