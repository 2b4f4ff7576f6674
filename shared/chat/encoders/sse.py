"""Server-sent events: `event:` is the event's type, `data:` its JSON. https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from collections.abc import Mapping
from types import MappingProxyType

from shared.chat.encoders.event_json import event_json
from shared.errors import ErrorObject
from shared.events import Delta, Event, Failed
from shared.sse import HEARTBEAT, write_frame

_NAMES = {kind: str(kind.__struct_config__.tag).encode() for kind in Event.__subclasses__()}


class SseEncoder:
    """The default format of the chat API."""

    media_type = "text/event-stream; charset=utf-8"
    headers: Mapping[str, str] = MappingProxyType({})
    heartbeat = HEARTBEAT
    is_buffered = False
    cuts_after_error = False
    """@microsoft/fetch-event-source sends the request again, once a second, after a cut, and not after a clean end."""

    def encode(self, events: list[Event]) -> bytes:
        """One frame per event."""
        if len(events) == 1 and type(events[0]) is Delta:  # nearly always
            return b"event: delta\ndata: " + event_json(events[0]) + b"\n\n"
        return b"".join([write_frame(event_json(event), event=_NAMES[type(event)]) for event in events])

    def fail(self, error: ErrorObject) -> bytes:
        """A `failed` event."""
        return self.encode([Failed(error)])
