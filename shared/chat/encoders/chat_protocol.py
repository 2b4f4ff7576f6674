"""The AI Chat Protocol, https://github.com/microsoft/ai-chat-protocol/tree/main/spec: JSON lines, or one JSON object.

The request's `context` and `sessionState` come back with the first line. What the protocol has no field for (reasoning,
usage, the reason of the end) stands in the `context` that a message, or a part of one, has of its own. Steps and sources are
the answer's `context`, in the form that the front end of Azure's search demo reads: see `thought_process`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, assert_never

import msgspec

from shared.chat.encoders.encoder import NO_HEADERS
from shared.chat.encoders.event_json import event_json
from shared.chat.encoders.thought_process import ThoughtProcess
from shared.errors import ErrorObject
from shared.events import AnswerEvent, Citation, Delta, Failed, Finished, Reasoning, Source, Started, Step, Usage

_NOTHING: Mapping[str, Any] = MappingProxyType({})
NOTHING_ECHOED: Mapping[str, msgspec.Raw] = MappingProxyType({})


class ChatProtocolEncoder:
    """The form of the address that streams. Its client skips empty lines, so one of them is the heartbeat."""

    media_type = "application/jsonl"
    headers = NO_HEADERS
    heartbeat = b"\n"
    padding = b""
    is_buffered = False
    cuts_after_error = False
    """The protocol's client throws at the `error` line and reads no further."""

    def __init__(self, echoed: Mapping[str, msgspec.Raw] = NOTHING_ECHOED) -> None:
        """Begin an answer that shows these fields of the request again."""
        self._echoed = echoed
        self._has_begun = False
        self._process = ThoughtProcess(echoed.get("context"))

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return one line per event, after a first one with the role and the echoed fields."""
        return b"".join([self._lines(event) for event in events])

    def fail(self, error: ErrorObject) -> bytes:
        """Return an `error` line, which the protocol's client throws."""
        return self.encode([Failed(error)])

    def _lines(self, event: AnswerEvent) -> bytes:
        if isinstance(event, Failed):
            # The protocol's error has a code, always.
            error = {"code": event.error.code or event.error.type, "message": event.error.message}
            return _line({"error": error})
        first = b""
        if not self._has_begun:
            self._has_begun = True
            first = _line({"delta": {"role": "assistant"}, **self._echoed, **self._resumption(event)})
        if isinstance(event, Step | Source):
            self._process.note(event)
        if not isinstance(event, Source) and self._process.has_news:  # of many sources, one line
            first += _line({"delta": {"role": "assistant"}, "context": self._process.context()})
        delta = _delta(event)
        return first + _line({"delta": delta}) if delta else first

    def _resumption(self, event: AnswerEvent) -> dict[str, Any]:
        """Return the context with the id under which the answer can be taken up again; {} where nobody can."""
        if not isinstance(event, Started) or not event.resume:
            return {}
        echoed = self._echoed.get("context")
        context = {} if echoed is None else msgspec.json.decode(echoed, type=dict[str, msgspec.Raw])
        return {"context": {**context, "resume": event.resume}}


class BufferedChatProtocolEncoder:
    """The form of the address that does not stream: collect the events, and write once."""

    media_type = "application/json"
    headers = NO_HEADERS
    heartbeat = b""
    padding = b" "
    is_buffered = True
    cuts_after_error = True

    def __init__(self, echoed: Mapping[str, msgspec.Raw] = NOTHING_ECHOED) -> None:
        """Begin an answer that shows these fields of the request again."""
        self._echoed = echoed
        self._content: list[str] = []
        self._context: dict[str, Any] = {}
        self._process = ThoughtProcess(echoed.get("context"))

    def encode(self, events: list[AnswerEvent]) -> bytes:
        """Return b'' until the answer is finished, then all of it."""
        for event in events:
            if isinstance(event, Step | Source):
                self._process.note(event)
            delta = _delta(event)
            self._content.append(delta.get("content", ""))
            for name, value in delta.get("context", _NOTHING).items():
                self._note(name, value)
            if isinstance(event, Finished):
                if "reasoning" in self._context:
                    self._context["reasoning"] = "".join(self._context["reasoning"])
                message = {"role": "assistant", "content": "".join(self._content), "context": self._context}
                process = {"context": self._process.context()} if self._process.has_news else {}
                return event_json({"message": message, **self._echoed, **process})
        return b""

    def fail(self, error: ErrorObject) -> None:
        """Return None: nothing has been sent when an answer fails."""

    def _note(self, name: str, value: Any) -> None:
        if name == "reasoning":
            self._context.setdefault("reasoning", []).append(value)
        else:
            self._context[name] = value


def _delta(event: AnswerEvent) -> dict[str, Any]:
    """Return the event as a part of a message; {} where it has no place in one."""
    match event:
        case Delta(text):
            return {"content": text}
        case Started() | Step() | Source() | Citation() | Failed():
            return {}
        case Reasoning(text):
            return {"context": {"reasoning": text}}
        case Usage():
            usage = {name: getattr(event, name) for name in event.__struct_fields__}
            return {"context": {"usage": usage}}
        case Finished(reason):
            return {"context": {"finish_reason": reason}}
        case _:
            assert_never(event)


def _line(value: dict[str, Any]) -> bytes:
    return event_json(value) + b"\n"
