"""What this app adds to a request by itself, and takes back where an upstream refuses exactly that. Pure.

Some models behind the same API know no `stream_options`, and an OpenAI organization that is not verified gets no summaries of
reasoning. The caller never sent such a word, so the refusal is not the caller's to read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.errors import UpstreamErrorResponse

MAX_REMEMBERED = 1024
"""How many deployments that refuse an addition are known; the oldest go first."""
_STATUSES = frozenset({400, 422})
_READ_BYTES = 64 * 1024
"""Of an error response."""
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Addition:
    """One of them. `name`: how an error response names it. `take_back` returns a request's body without it."""

    name: str
    take_back: Callable[[bytes], bytes]

    def is_refused_by(self, failure: UpstreamErrorResponse) -> bool:
        """Return whether the failure is about the addition."""
        said = (failure.raw_body or b"")[:_READ_BYTES]
        return failure.status in _STATUSES and self.name.encode() in said


class RefusedAdditions:
    """The deployments that refuse an addition, so that each is asked in vain once. Per process."""

    def __init__(self) -> None:
        """Begin with none known."""
        self._known: dict[tuple[str, str, str], None] = {}

    def knows(self, backend: str, deployment: str, addition: Addition) -> bool:
        """Return whether the deployment has refused the addition before."""
        return (backend, deployment, addition.name) in self._known

    def note(self, backend: str, deployment: str, addition: Addition) -> None:
        """Note that it answers without the addition."""
        self._known[backend, deployment, addition.name] = None
        while len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]


def field(
    name: str,
    *,
    original: msgspec.Raw | None = None,
    decode: Callable[[bytes], dict[str, msgspec.Raw]] = _FIELDS.decode,
) -> Addition:
    """Return the addition of a top-level field, in whose place `original` stood, or nothing.

    `decode` reads the fields of a body; the one for callers' own bodies knows more than strict JSON.
    """

    def take_back(body: bytes) -> bytes:
        fields = decode(body)
        if original is None:
            fields.pop(name, None)
        else:
            fields[name] = original
        return msgspec.json.encode(fields)

    return Addition(name, take_back)


def nested_field(name: str, inner: str) -> Addition:
    """Return the addition of a field within an object that this app has written as a whole."""

    def take_back(body: bytes) -> bytes:
        fields = _FIELDS.decode(body)
        if name in fields:
            kept = {key: value for key, value in _OBJECT.decode(fields[name]).items() if key != inner}
            fields[name] = msgspec.Raw(msgspec.json.encode(kept))
        return msgspec.json.encode(fields)

    return Addition(f"{name}.{inner}", take_back)
