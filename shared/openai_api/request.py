"""What the OpenAI API reads of a request's body, and the little that it changes. Everything else goes up as it came.

Values are kept as the bytes that the caller sent: parameters that are not known here, numbers of any size and lone surrogates
pass unchanged, and what goes up is always JSON.
"""

import math
import re
from codecs import BOM_UTF8
from dataclasses import dataclass, replace

import msgspec

from shared.demand import Demand
from shared.errors import BadRequest
from shared.http.json_body import decode_value, parse_fields
from shared.json_bounds import matches
from shared.upstream.additions import Addition, field

OUTPUT_CAPS: dict[str, tuple[str, ...]] = {
    "chat/completions": ("max_completion_tokens", "max_tokens"),
    "completions": ("max_tokens",),
    "responses": ("max_output_tokens",),
}
"""The fields that limit an answer's length; the first is the one that is set where the caller set none."""
_LIMITS = frozenset(name for names in OUTPUT_CAPS.values() for name in names)

CHOICES: dict[str, tuple[str, ...]] = {"chat/completions": ("n",), "completions": ("n", "best_of")}
"""The fields that say how many answers a model makes at once."""

EMBEDDINGS = "embeddings"
"""The path whose answer has no tokens."""

USAGE_ON_REQUEST = frozenset({"chat/completions", "completions"})
"""The paths whose streams report their usage only when asked to."""

UNCOUNTED = frozenset({"responses/input_tokens"})
"""The paths at which no model answers."""

PREVIOUS_ID = "previous_response_id"

_IMAGE_DATA = b'"data:image/'
_IMAGE_PART = re.compile(rb'"type"\s{0,1500}+:\s{0,1500}+"(?:image_url|input_image)"')
"""Whoever puts more blanks into one is counted for the blanks."""
_LONGEST_IMAGE_PART = 3072
"""More than any that `_IMAGE_PART` finds."""
_TRUE, _FALSE, _NULL = b"true", b"false", msgspec.Raw(b"null")
_FLAGS = frozenset({_TRUE, _FALSE, b"null"})
_NAME = msgspec.json.Decoder(str | None)


@dataclass(frozen=True, slots=True)
class OpenAIRequest:
    """A body of the OpenAI API, read as far as needed."""

    raw: bytes
    """The caller's bytes; where `previous_response_id` is a field, `fields` again, so that it goes up once."""
    fields: dict[str, msgspec.Raw]
    """The top-level fields, each as it is spelled in `raw`."""
    model: str | None
    """None where the body names none: in Azure's older paths, the address names the deployment."""
    stream: bool
    background: bool
    stream_options: dict[str, msgspec.Raw]
    store: bool = True
    """Whether the answer is stored, where the API stores answers: the Responses API does unless told otherwise."""
    previous_id: str = ""
    """The stored response that this one goes on from, as the caller names it; '' where it names none."""

    def going_on_from(self, upstream_id: str) -> "OpenAIRequest":
        """Return the request as the upstream knows the previous response."""
        fields = {**self.fields, PREVIOUS_ID: msgspec.Raw(msgspec.json.encode(upstream_id))}
        return replace(self, fields=fields, raw=msgspec.json.encode(fields))

    @property
    def wants_usage(self) -> bool:
        """Whether the caller asked for the usage chunk of its stream."""
        return bytes(self.stream_options.get("include_usage", _NULL)) == _TRUE


def parse_openai_request(raw: bytes) -> OpenAIRequest:
    """Return the request. Raise `InvalidJson` or `BadRequest`."""
    fields = parse_fields(raw)
    stream = bytes(fields.get("stream", _NULL))
    if stream not in _FLAGS:
        raise invalid("stream", "true or false")
    previous = decode_value(fields.get(PREVIOUS_ID, _NULL))
    return OpenAIRequest(
        raw=msgspec.json.encode(fields) if PREVIOUS_ID in fields else raw.removeprefix(BOM_UTF8),
        fields=fields,
        model=_model(fields),
        stream=stream == _TRUE,
        background=bytes(fields.get("background", _NULL)) == _TRUE,
        store=bytes(fields.get("store", _NULL)) != _FALSE,
        stream_options=_stream_options(fields),
        previous_id=previous if isinstance(previous, str) else "",
    )


def upstream_body(
    request: OpenAIRequest, path: str, deployment: str, *, max_output_tokens: int | None, is_checked: bool = False
) -> bytes:
    """Return the body for one backend: the caller's own bytes where nothing must change.

    What changes is the model's name, the usage of a stream, which is always asked for, and an output limit beyond the cap.

    `is_checked`: the operator allows only some models. Then, and under a cap, the body is written anew: of two fields of one
    name the last was checked, and the upstream may take the first (RFC 8259 section 4 leaves it open).
    """
    changes: dict[str, msgspec.Raw] = {}
    if request.model != deployment:
        changes["model"] = msgspec.Raw(msgspec.json.encode(deployment))
    if asks_for_usage(request, path):
        options = {**request.stream_options, "include_usage": msgspec.Raw(_TRUE)}
        changes["stream_options"] = msgspec.Raw(msgspec.json.encode(options))
    if max_output_tokens is not None:
        changes |= _capped(request.fields, OUTPUT_CAPS.get(path, ()), max_output_tokens)
    is_limited = is_checked or max_output_tokens is not None
    return msgspec.json.encode({**request.fields, **changes}) if changes or is_limited else request.raw


def continuation_query(request: OpenAIRequest) -> list[tuple[str, str]]:
    """Return the parameters with which the rest of a response's stream comes as its beginning did."""
    included = decode_value(request.fields.get("include", _NULL))
    query = [("include[]", one) for one in included if isinstance(one, str)] if isinstance(included, list) else []
    if bytes(request.stream_options.get("include_obfuscation", _NULL)) == _FALSE:
        query.append(("include_obfuscation", "false"))
    return query


def asks_for_usage(request: OpenAIRequest, path: str) -> bool:
    """Return whether the usage of the stream is this app's own wish. With `data_sources` Azure takes no such wish."""
    is_possible = request.stream and path in USAGE_ON_REQUEST and "data_sources" not in request.fields
    return is_possible and not request.wants_usage


def usage_wish(request: OpenAIRequest, path: str) -> Addition | None:
    """Return what is added for it; None where nothing is."""
    if not asks_for_usage(request, path):
        return None
    return field("stream_options", original=request.fields.get("stream_options"), decode=parse_fields)


def demand_of(request: OpenAIRequest, path: str, *, max_output_tokens: int | None) -> Demand:
    """Return what the request asks for. Images in it are counted, and not their bytes."""
    in_body, image_bytes = _images_in(request.raw)
    images = sum(1 for _ in matches(_IMAGE_PART, request.raw, longest=_LONGEST_IMAGE_PART))
    own = [name for name in OUTPUT_CAPS.get(path, ()) if _count(request.fields, name) is not None]
    # Of several limits the upstream may take any, also one that it knows from another API.
    largest = max((_count(request.fields, name) or 0 for name in _LIMITS), default=None) if own else None
    limits = [limit for limit in (largest, max_output_tokens) if limit is not None]
    choices = (_count(request.fields, name) or 1 for name in CHOICES.get(path, ()))
    return Demand(
        body_bytes=len(request.raw) - image_bytes,
        images=max(images, in_body),
        max_output=min(limits, default=None) if path in OUTPUT_CAPS else None,
        choices=max(choices, default=1),
        has_output=path != EMBEDDINGS,
        outlives=request.background,
    )


def _images_in(raw: bytes) -> tuple[int, int]:
    """Return how many images a body has in itself, as `data:` addresses, and how many bytes they take."""
    count = total = 0
    at = raw.find(_IMAGE_DATA)
    while at >= 0 and (end := raw.find(b'"', at + 1)) >= 0:
        count, total = count + 1, total + end + 1 - at
        at = raw.find(_IMAGE_DATA, end + 1)
    return count, total


def _count(fields: dict[str, msgspec.Raw], name: str) -> int | None:
    """Return the number of a field, rounded up; None where it has none that is at least 0."""
    value = decode_value(fields.get(name, _NULL))
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        return None
    return math.ceil(value)


def invalid(name: str, allowed: str) -> BadRequest:
    """Return the error of a field whose value is not allowed."""
    return BadRequest(f"{name!r} is not valid; expected {allowed}.", param=name)


def _model(fields: dict[str, msgspec.Raw]) -> str | None:
    try:
        return _NAME.decode(fields.get("model", _NULL)) or None
    except (msgspec.DecodeError, RecursionError):  # another type, or a lone surrogate
        raise invalid("model", "the name of a model") from None


def _stream_options(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """Return the options' fields; none where it is not an object."""
    raw = bytes(fields.get("stream_options", _NULL))
    return parse_fields(raw) if raw.startswith(b"{") else {}


def _capped(fields: dict[str, msgspec.Raw], names: tuple[str, ...], maximum: int) -> dict[str, msgspec.Raw]:
    """Return the limits that must change: those beyond the maximum, and the first of `names` where none of them is set."""
    cap = msgspec.Raw(str(maximum).encode())
    # Of all APIs: a service that is not Azure's may know one's name in another.
    asked = {name: decode_value(fields.get(name, _NULL)) for name in _LIMITS}
    # What is not a number is left to the upstream, whose error says more.
    changes = {name: cap for name, value in asked.items() if isinstance(value, int | float) and value > maximum}
    if names and all(asked[name] is None for name in names):
        changes[names[0]] = cap
    return changes
