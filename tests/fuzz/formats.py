"""The formats of the chat API, read strictly: each a function that says how an answer ends, or what is not valid in it."""

import json
from collections.abc import Callable
from typing import Any

from shared.sse import HEARTBEAT

PARTS = {
    "start", "start-step", "text-start", "text-delta", "text-end", "reasoning-start", "reasoning-delta", "reasoning-end",
    "data-step", "finish-step", "finish", "error",
}  # fmt: skip

type Check = Callable[[bytes, bool], str]
"""Return "finished", "failed" or "open" (nothing says how it ends); raise `ValueError` for what the format does not allow."""


def _strict_events(body: bytes) -> list[tuple[str, Any]]:
    """Return name and data of the frames that this app itself writes."""
    text = body.decode()
    if text and not text.endswith(("\n\n", HEARTBEAT.decode())):
        raise ValueError(f"it ends in the middle of a frame: {text[-60:]!r}")
    found = []
    for frame in text.split("\n\n")[:-1]:
        lines = [line for line in frame.split("\n") if not line.startswith(":")]
        if not lines:
            continue
        name = lines.pop(0).removeprefix("event: ") if lines[0].startswith("event: ") else ""
        if len(lines) != 1 or not lines[0].startswith("data: "):
            raise ValueError(f"a frame {frame[:80]!r}")
        data = lines[0].removeprefix("data: ")
        found.append((name, data if data == "[DONE]" else _json(data)))
    return found


def _json(text: str | bytes) -> Any:
    # A caller's context comes back with integers of any length; `int` takes 4300 digits.
    return json.loads(text, parse_constant=_no_constant, parse_int=lambda digits: int(digits[:4300]))


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _typed(kinds: list[str]) -> str:
    if "finished" in kinds[:-1] or "failed" in kinds[:-1]:
        raise ValueError("events after the end")
    return kinds[-1] if kinds and kinds[-1] in ("finished", "failed") else "open"


def _sse(body: bytes, _is_whole: bool) -> str:
    events = _strict_events(body)
    if any(value["type"] != name for name, value in events):
        raise ValueError("an event of another name than its type")
    return _typed([name for name, _ in events])


def _lines(body: bytes) -> list[Any]:
    text = body.decode()
    if text and not text.endswith("\n"):
        raise ValueError("the last line has no end")
    return [_json(line) for line in text.split("\n") if line]


def _ndjson(body: bytes, _is_whole: bool) -> str:
    return _typed([value["type"] for value in _lines(body) if value["type"] != "heartbeat"])


def _text(body: bytes, is_whole: bool) -> str:
    body.decode()
    return "finished" if is_whole else "open"


def _object(body: bytes, _is_whole: bool) -> str:
    if not body:
        return "open"
    value = _json(body)
    if not isinstance(value["text"], str) or not value["finish_reason"]:
        raise ValueError("fields are missing")
    return "finished"


def _ui_message(body: bytes, _is_whole: bool) -> str:
    values = [value for _, value in _strict_events(body)]
    kinds = [value if value == "[DONE]" else value["type"] for value in values]
    if unknown := set(kinds) - PARTS - {"[DONE]"}:
        raise ValueError(f"parts {unknown}")
    if kinds and kinds[0] not in ("start", "error"):
        raise ValueError(f"it begins with {kinds[0]}")
    opened = ""
    for value in values:
        if value == "[DONE]":
            continue
        kind, _, step = value["type"].partition("-")
        if kind in ("text", "reasoning"):
            if (step == "start") == bool(opened) or (step != "start" and opened != value["id"]):
                raise ValueError(f"{value} while {opened!r} is open")
            opened = "" if step == "end" else value["id"]
    if kinds and kinds[-1] == "[DONE]":
        if kinds[-2] != "finish" or opened:
            raise ValueError(f"it ends with {kinds[-3:]}")
        return "finished"
    return "failed" if kinds and kinds[-1] == "error" else "open"


def _chat_protocol(body: bytes, is_whole: bool) -> str:
    values = _lines(body)
    if not values:
        return "open"
    if "error" in values[-1]:
        return "failed"
    if any(set(value) - {"delta", "context", "sessionState", "session_state"} for value in values):
        raise ValueError("fields that the protocol does not have")
    ended = "finish_reason" in values[-1]["delta"].get("context", {})
    return "finished" if ended and is_whole else "open"


def _chat_protocol_whole(body: bytes, _is_whole: bool) -> str:
    if not body:
        return "open"
    if _json(body)["message"]["role"] != "assistant":
        raise ValueError("no message")
    return "finished"


CHECKS: dict[str, Check] = {
    "sse": _sse,
    "ndjson": _ndjson,
    "jsonl": _ndjson,
    "text": _text,
    "json": _object,
    "ui-message": _ui_message,
    "chat-protocol": _chat_protocol,
    "chat-protocol-json": _chat_protocol_whole,
}
CUT_AFTER_ERROR = frozenset({"ndjson", "jsonl"})
UNMARKED = frozenset({"text", "json", "chat-protocol-json"})
"""Formats without an error event: only the cut tells."""
