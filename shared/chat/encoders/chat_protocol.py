"""The AI Chat Protocol, https://github.com/microsoft/ai-chat-protocol/tree/main/spec: JSON lines, or one JSON object.

The request's `context` and `sessionState` come back with the first line. What the protocol has no field for (reasoning,
steps, usage, the reason of the end) stands in the `context` that a message, or a part of one, has of its own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from shared.chat.encoders.event_json import event_json
from shared.errors import ErrorObject
from shared.events import Delta, Event, Failed, Finished, Reasoning, Started, Step, Usage

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class ChatProtocolEncoder:
    """The address that streams. Its client passes over empty lines, so one of them is the heartbeat."""

    media_type = "application/jsonl"
    headers: Mapping[str, str] = MappingProxyType({})
    heartbeat = b"\n"
    is_buffered = False
    cuts_after_error = False
    """The protocol's client throws at the `error` line and reads no further."""

    def __init__(self, carried: Mapping[str, Any] = _NOTHING) -> None:
        self._carried = carried
        self._has_begun = False

    def encode(self, events: list[Event]) -> bytes:
        """One line per event, after a first one that tells the role."""
        return b"".join([self._lines(event) for event in events])

    def fail(self, error: ErrorObject) -> bytes:
        """An `error` line, which the protocol's client throws."""
        return self.encode([Failed(error)])

    def _lines(self, event: Event) -> bytes:
        if isinstance(event, Failed):
            # The protocol's error has a code, always.
            error = {"code": event.error.code or event.error.type, "message": event.error.message}
            return _line({"error": error})
        first = b""
        if not self._has_begun:
            self._has_begun = True
            first = _line({"delta": {"role": "assistant"}, **self._carried})
        delta = _delta(event)
        return first + _line({"delta": delta}) if delta else first


class ChatProtocolWholeEncoder:
    """The address that doesn't stream: collects, and speaks once."""

    media_type = "application/json"
    headers: Mapping[str, str] = MappingProxyType({})
    heartbeat = b""
    is_buffered = True
    cuts_after_error = True

    def __init__(self, carried: Mapping[str, Any] = _NOTHING) -> None:
        self._carried = carried
        self._content: list[str] = []
        self._context: dict[str, Any] = {}

    def encode(self, events: list[Event]) -> bytes:
        """Nothing until the answer is finished, then all of it."""
        for event in events:
            delta = _delta(event)
            self._content.append(delta.get("content", ""))
            for name, value in delta.get("context", _NOTHING).items():
                self._note(name, value)
            if isinstance(event, Finished):
                message = {"role": "assistant", "content": "".join(self._content), "context": self._context}
                return event_json({"message": message, **self._carried})
        return b""

    def fail(self, error: ErrorObject) -> None:
        """None: nothing has been sent when an answer fails."""

    def _note(self, name: str, value: Any) -> None:
        if name == "reasoning":
            value = self._context.get(name, "") + value
        elif name == "step":
            name, value = "steps", [*self._context.get("steps", ()), value]
        self._context[name] = value


def _delta(event: Event) -> dict[str, Any]:
    """The event as a part of a message; empty where it says nothing beside the role."""
    match event:
        case Delta(text):
            return {"content": text}
        case Started() | Failed():
            return {}
        case Reasoning(text):
            return {"context": {"reasoning": text}}
        case Step(name, status):
            return {"context": {"step": {"name": name, "status": status}}}
        case Usage():
            usage = {name: getattr(event, name) for name in event.__struct_fields__}
            return {"context": {"usage": usage}}
        case Finished(reason):
            return {"context": {"finish_reason": reason}}
    raise TypeError(f"{type(event).__name__} has no form in the AI Chat Protocol")


def _line(value: dict[str, Any]) -> bytes:
    return event_json(value) + b"\n"
