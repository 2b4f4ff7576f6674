"""The ways to ask for an answer, each with how to tell what became of it: both APIs, every format, streamed and whole."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dev.simulator.probe import Probe, Seen
from tests.app_process import App


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the client saw: "finished", "failed" (an error ending, cut or clean as its format has it), "cut" (no clean end),
    "refused" (an HTTP status), or "dishonest": an error ending that is cut where it must not be, or not where it must."""

    kind: str
    code: str | None = None
    status: int = 200
    words: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to ask."""

    name: str
    path: str
    body: Callable[[str, str], dict[str, Any]]
    read: Callable[[Seen], Outcome]
    accept: str = "*/*"
    is_buffered: bool = False
    """Nothing is sent before all is there."""
    tells: str = "code"
    """What its error ending tells: the error's code, only a "text", or "nothing": the connection is cut."""
    heartbeat: bytes = b""

    def ask(self, app: App, model: str, prompt: str = "hi") -> tuple[Seen, Outcome]:
        """Asks, and waits for the end."""
        with self.begin(app, model, prompt) as probe:
            seen = probe.read_all()
        return seen, self.outcome(seen)

    def begin(self, app: App, model: str, prompt: str = "hi", *, receive_buffer: int | None = None) -> Probe:
        """Asks."""
        return app.probe(self.body(model, prompt), self.path, accept=self.accept, receive_buffer=receive_buffer)

    def broken(self, code: str, words: str = "") -> Outcome:
        """How an answer ends that failed with this code after it had begun."""
        if self.tells == "nothing":
            return Outcome("cut", words=words)
        return Outcome("failed", code if self.tells == "code" else None, words=words)

    def outcome(self, seen: Seen) -> Outcome:
        """What became of it."""
        if seen.status >= 400:
            return Outcome("refused", seen.json["error"]["code"], seen.status)
        return self.read(seen)


def _failed(seen: Seen, code: str | None, words: str, *, is_cut: bool) -> Outcome:
    """An error event is the last thing that came; whether the connection is cut after it depends on the format."""
    return Outcome("failed" if (seen.ending != "complete") is is_cut else "dishonest", code, words=words)


def _events(values: list[dict[str, Any]], seen: Seen, *, is_cut: bool) -> Outcome:
    words = "".join(value["text"] for value in values if value["type"] == "delta")
    last: dict[str, Any] = values[-1] if values else {"type": "nothing"}
    if last["type"] == "finished" and seen.ending == "complete":
        return Outcome("finished", words=words)
    if last["type"] == "failed":
        return _failed(seen, last["error"]["code"], words, is_cut=is_cut)
    return Outcome("cut", words=words)


def _sse(seen: Seen) -> Outcome:
    return _events(seen.events, seen, is_cut=False)


def _ndjson(seen: Seen) -> Outcome:
    return _events([json.loads(line) for line in seen.body.decode().split("\n") if line], seen, is_cut=True)


def _text(seen: Seen) -> Outcome:
    return Outcome("finished" if seen.ending == "complete" else "cut", words=seen.body.decode())


def _json(seen: Seen) -> Outcome:
    return Outcome("finished", words=seen.json["text"]) if seen.ending == "complete" else Outcome("cut")


def _ui_message(seen: Seen) -> Outcome:
    words = "".join(event["delta"] for event in seen.events if event["type"] == "text-delta")
    kinds = [event["type"] for event in seen.events]
    if kinds[-1:] == ["error"] and "[DONE]" not in seen.data and "finish" not in kinds:
        return _failed(seen, None, words, is_cut=False)
    is_finished = seen.ending == "complete" and kinds[-1:] == ["finish"] and seen.data[-1] == "[DONE]"
    return Outcome("finished" if is_finished and "error" not in kinds else "cut", words=words)


def _chat_protocol(seen: Seen) -> Outcome:
    lines = [json.loads(line) for line in seen.body.decode().split("\n") if line]
    deltas = [line["delta"] for line in lines if "delta" in line]
    words = "".join(delta.get("content", "") for delta in deltas)
    if lines and "error" in lines[-1]:
        return _failed(seen, lines[-1]["error"]["code"], words, is_cut=False)
    is_finished = seen.ending == "complete" and deltas and "finish_reason" in deltas[-1].get("context", {})
    return Outcome("finished" if is_finished else "cut", words=words)


def _chunks(seen: Seen) -> Outcome:
    words = "".join(
        (choice.get("delta") or {}).get("content") or choice.get("text") or ""
        for event in seen.events
        for choice in event.get("choices") or []
    )
    if errors := [event["error"] for event in seen.events if "error" in event]:
        if "error" not in seen.events[-1] or "[DONE]" in seen.data:
            return Outcome("dishonest", errors[-1]["code"], words=words)
        return _failed(seen, errors[-1]["code"], words, is_cut=True)
    return Outcome("finished" if seen.data[-1:] == ["[DONE]"] and seen.ending == "complete" else "cut", words=words)


def _responses(seen: Seen) -> Outcome:
    words = "".join(event["delta"] for event in seen.events if event["type"] == "response.output_text.delta")
    last: dict[str, Any] = seen.events[-1] if seen.events else {"type": "nothing"}
    if last["type"] == "error":
        return _failed(seen, (last.get("error") or last)["code"], words, is_cut=True)
    if last["type"] == "response.failed":
        return _failed(seen, "response.failed", words, is_cut=False)
    is_finished = seen.ending == "complete" and last["type"] == "response.completed"
    return Outcome("finished" if is_finished else "cut", words=words)


def _whole(seen: Seen) -> Outcome:
    if seen.ending != "complete":
        return Outcome("cut")
    return Outcome("finished", words=seen.json["choices"][0]["message"]["content"])


def _whole_response(seen: Seen) -> Outcome:
    if seen.ending != "complete":
        return Outcome("cut")
    texts = [part["text"] for item in seen.json["output"] for part in item["content"]]
    return Outcome("finished", words="".join(texts))


def _chat_body(model: str, prompt: str) -> dict[str, Any]:
    return {"model": model, "input": prompt}


def _openai_body(model: str, prompt: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": prompt}]}


def _ui_body(model: str, prompt: str) -> dict[str, Any]:
    message = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": prompt}]}
    return {"id": "c1", "model": model, "messages": [message], "trigger": "submit-message"}


COMMENT, EVENT_LINE = b": heartbeat\n\n", b'{"type":"heartbeat"}\n'
WAYS = {
    way.name: way
    for way in (
        Way("chat sse", "/chat", _chat_body, _sse, heartbeat=COMMENT),
        Way("chat ndjson", "/chat", _chat_body, _ndjson, accept="application/x-ndjson", heartbeat=EVENT_LINE),
        Way("chat text", "/chat", _chat_body, _text, accept="text/plain", tells="nothing"),
        Way("chat json", "/chat", _chat_body, _json, accept="application/json", is_buffered=True),
        Way("ui-message", "/chat?format=ui-message", _ui_body, _ui_message, tells="text", heartbeat=COMMENT),
        Way("chat-protocol", "/stream?format=chat-protocol", _openai_body, _chat_protocol, heartbeat=b"\n"),
        Way(
            "openai chat",
            "/v1/chat/completions",
            lambda m, p: _openai_body(m, p) | {"stream": True},
            _chunks,
            heartbeat=COMMENT,
        ),
        Way("openai whole", "/v1/chat/completions", _openai_body, _whole, is_buffered=True, tells="nothing"),
        Way(
            "completions",
            "/v1/completions",
            lambda m, p: {"model": m, "prompt": p, "stream": True},
            _chunks,
            heartbeat=COMMENT,
        ),
        Way(
            "responses",
            "/v1/responses",
            lambda m, p: {"model": m, "input": p, "stream": True},
            _responses,
            heartbeat=COMMENT,
        ),
        Way(
            "responses whole",
            "/v1/responses",
            lambda m, p: {"model": m, "input": p},
            _whole_response,
            is_buffered=True,
            tells="nothing",
        ),
    )
}
STREAMS = {name: way for name, way in WAYS.items() if not way.is_buffered}
COLLECTED = ("chat json",)
"""Whole to the client, though the upstream is asked to stream."""
