"""A complete answer, of any of the upstream APIs: what it cost and what the upstream calls it."""

from typing import Any

import msgspec

from shared.errors import UpstreamMalformed
from shared.events import Usage
from shared.upstream.wire.frames import frame_decoder, object_or_none, string_or_none
from shared.upstream.wire.usage import CompletionUsage, ResponseUsage


class Body(msgspec.Struct):
    """As much of a complete, non-streaming answer as is looked at."""

    id: str | None = None
    usage: Any = None

    def event(self) -> Usage | None:
        """Return the usage as an event; None where there is none that can be read."""
        fields = object_or_none(self.usage)
        if fields is None:
            return None
        try:
            if "input_tokens" in fields:
                return msgspec.convert(fields, ResponseUsage).event()
            return msgspec.convert(fields, CompletionUsage).event()
        except msgspec.ValidationError:
            return None


def read_body(data: bytes) -> Body:
    """Return what is looked at of a complete answer; an empty `Body` where it is not a JSON object."""
    try:
        return _decode(data)
    except UpstreamMalformed:
        return Body()


def _read_body(fields: dict[str, Any]) -> Body:
    return Body(string_or_none(fields.get("id")), fields.get("usage"))


_decode = frame_decoder(Body, _read_body)
