"""Server-sent events: `event:` is the event's type, `data:` its JSON. https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from typing import assert_never

from shared.chat.encoders.encoder import NO_HEADERS
from shared.chat.encoders.event_json import event_json
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Failed, Finished, Reasoning, Source, Started, Step, Usage
from shared.sse import HEARTBEAT, write_frame


class SseEncoder:
    """The default format of the chat API."""

    media_type = "text/event-stream; charset=utf-8"
    headers = NO_HEADERS
    heartbeat = HEARTBEAT
    padding = b""
    is_buffered = False
    cuts_after_error = False
    """@microsoft/fetch-event-source sends the request again, once a second, after a cut, and not after a clean end."""

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return one frame per event."""
        if len(events) == 1 and type(events[0]) is Delta:  # nearly always
            return b"event: delta\ndata: " + event_json(events[0]) + b"\n\n"
        return b"".join([write_frame(event_json(event), event=_name(event)) for event in events])

    def fail(self, error: ErrorObject) -> bytes:
        """Return a `failed` event."""
        return self.encode([Failed(error)])


def _name(event: AnswerEvent) -> bytes:
    match event:
        case Delta() | Reasoning() | Started() | Step() | Source() | Citation() | Usage() | Finished() | Failed():
            return str(event.__struct_config__.tag).encode()
        case _:
            assert_never(event)
