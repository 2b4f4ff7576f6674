"""Reads only what it must of an OpenAI body, and changes only what must change. Everything else goes up as it came.

Values are kept as the raw bytes that the caller sent: parameters never heard of, numbers of any size and lone surrogates
pass unharmed.
"""

import json
from dataclasses import dataclass

import msgspec

from shared.errors import BadRequest, InvalidJson
from shared.surrogates import no_constant, replace_surrogates

OUTPUT_CAPS: dict[str, tuple[str, ...]] = {
    "chat/completions": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
}
"""The fields that limit an answer's length; the first is the one that is set where the caller set none."""

USAGE_ON_REQUEST = frozenset({"chat/completions", "completions"})
"""Streams that tell their usage only when asked to."""

_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TRUE = msgspec.Raw(b"true")


@dataclass(frozen=True, slots=True)
class OpenAIRequest:
    """A body of the OpenAI API. `model`: None where none is named, which is how Azure's classes name a deployment.

    `wants_usage`: the caller asked for the usage chunk of its stream.
    """

    raw: bytes
    fields: dict[str, msgspec.Raw]
    model: str | None
    stream: bool
    background: bool
    wants_usage: bool
    previous_id: str = ""
    """The stored response that this one goes on from."""


def parse_openai_request(raw: bytes) -> OpenAIRequest:
    """Raises `InvalidJson` or `BadRequest`."""
    fields = _object(raw)
    model = _value(fields, "model")
    if model is not None and not isinstance(model, str):
        raise BadRequest("'model' is not valid; expected the name of a model.", param="model")
    stream = _value(fields, "stream")
    if stream is not None and not isinstance(stream, bool):
        raise BadRequest("'stream' is not valid; expected true or false.", param="stream")
    options = _value(fields, "stream_options")
    wants_usage = isinstance(options, dict) and options.get("include_usage") is True
    background = _value(fields, "background") is True
    previous = _value(fields, "previous_response_id")
    previous_id = previous if isinstance(previous, str) else ""
    return OpenAIRequest(raw, fields, model or None, bool(stream), background, wants_usage, previous_id)


def upstream_body(request: OpenAIRequest, path: str, deployment: str, *, max_output_tokens: int | None) -> bytes:
    """The body for one backend: the caller's own bytes where nothing must change."""
    changes: dict[str, msgspec.Raw] = {}
    if request.model != deployment:
        changes["model"] = msgspec.Raw(msgspec.json.encode(deployment))
    if request.stream and path in USAGE_ON_REQUEST and not request.wants_usage:
        changes["stream_options"] = _with_usage(request.fields.get("stream_options"))
    if max_output_tokens is not None and path in OUTPUT_CAPS:
        changes |= _capped(request.fields, OUTPUT_CAPS[path], max_output_tokens)
    return msgspec.json.encode({**request.fields, **changes}) if changes else request.raw


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    kept: dict[str, msgspec.Raw] = {}
    if options is not None and bytes(options).lstrip().startswith(b"{"):
        kept = _DECODER.decode(options)
    return msgspec.Raw(msgspec.json.encode({**kept, "include_usage": _TRUE}))


def _capped(fields: dict[str, msgspec.Raw], names: tuple[str, ...], most: int) -> dict[str, msgspec.Raw]:
    cap = msgspec.Raw(str(most).encode())
    asked = {name: _value(fields, name) for name in names}
    given = {name: value for name, value in asked.items() if value is not None}
    if not given:
        return {names[0]: cap}
    # What is no number is the upstream's to refuse.
    return {name: cap for name, value in given.items() if isinstance(value, int | float) and value > most}


def _object(raw: bytes) -> dict[str, msgspec.Raw]:
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise InvalidJson("The body is not valid UTF-8.") from None
    try:
        return _DECODER.decode(raw)
    except RecursionError:
        raise InvalidJson("The JSON is nested too deeply.") from None
    except msgspec.DecodeError:
        return _object_with_surrogates(raw)


def _object_with_surrogates(raw: bytes) -> dict[str, msgspec.Raw]:
    """What msgspec refuses is either no JSON object, or has lone surrogates; those go up as the escapes that they were."""
    try:
        fields = json.loads(raw, parse_constant=no_constant)
    except RecursionError:
        raise InvalidJson("The JSON is nested too deeply.") from None
    except ValueError:
        raise InvalidJson("The body is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise InvalidJson("The body is JSON, but not an object.")
    return {str(replace_surrogates(name)): msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}


def _value(fields: dict[str, msgspec.Raw], name: str) -> object:
    raw = fields.get(name)
    if raw is None:
        return None
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        pass
    try:
        return json.loads(bytes(raw).decode())  # lone surrogates
    except (ValueError, RecursionError):
        raise BadRequest(f"{name!r} is not valid JSON.", param=name) from None
