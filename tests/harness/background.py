"""A background response at a scripted backend: its stream breaks where a test says, is taken up again, or is not any more."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from shared.errors import UpstreamCut
from shared.upstream.call import UpstreamCall
from tests.harness.frames import data
from tests.harness.upstream import FOREVER, JSON, Play, Step, refuses

RAW_ID = "resp_0a1b2c"
WORDS = ("The", " quick", " brown", " fox", " jumps", " over")
USAGE = {"input_tokens": 9, "output_tokens": 6, "total_tokens": 15}
UNKNOWN = {
    "message": f"Response with id '{RAW_ID}' not found.",
    "type": "invalid_request_error",
    "param": "id",
    "code": None,
}
type Break = tuple[int, Literal["reset", "eof", "stall", "half"]]
"""After so many events of one connection, and how; `half`: a reset within the next event."""


@dataclass
class Background:
    """A `Script`: every call of one backend. `breaks`: one for each connection to the stream; those after them are whole.

    `window`: how many connections to the stream are accepted; later ones get `refusal`. `statuses`: what one request after the
    other for the whole response returns, an HTTP status or the response's; the last one stays.
    """

    words: Sequence[str] = WORDS
    breaks: Sequence[Break] = ()
    window: int = 100
    refusal: int = 400
    statuses: Sequence[int | str] = ("completed",)
    seconds_between: float = 0.0
    seconds_to_headers: float = 0.0
    ending: str = "completed"
    background: bool = True
    missing: int = 0
    """How many connections to the stream, after the first, get a 404."""
    streams: list[int] = field(default_factory=list)
    """The number above which each connection asked for events; -1 for all of them."""
    reads: list[str] = field(default_factory=list)
    """The paths that were asked for whole."""

    def __call__(self, call: UpstreamCall) -> Play:
        query = dict(call.query)
        if call.method == "POST" and call.path == "responses":
            return self._stream(-1)
        if call.path.endswith("/cancel"):
            self.reads.append("cancel")
            return Play(body=[json.dumps(self.response("cancelled")).encode()], headers=JSON)
        if query.get("stream") == "true":
            return self._stream(int(query.get("starting_after", "-1")))
        self.reads.append(call.path)
        status = self.statuses[min(len(self.reads), len(self.statuses)) - 1]
        if isinstance(status, int):
            return refuses(status, UNKNOWN if status == 404 else None)
        return Play(body=[json.dumps(self.response(status)).encode()], headers=JSON)

    def response(self, status: str) -> dict[str, Any]:
        """Return the response object with this status."""
        is_over = status not in ("queued", "in_progress")
        base = {"id": RAW_ID, "object": "response", "created_at": 1, "model": "gpt-2026-01-01", "status": status}
        return {
            **base,
            "background": self.background,
            "output": [self._item(is_over=True)] if is_over else [],
            "usage": USAGE if is_over else None,
        }

    def events(self) -> list[bytes]:
        """Return all events of the response."""
        return list(self._numbered())

    def _stream(self, after: int) -> Play:
        self.streams.append(after)
        if 1 < len(self.streams) <= 1 + self.missing:
            return refuses(404, UNKNOWN)
        if len(self.streams) > self.window:
            return refuses(self.refusal, UNKNOWN if self.refusal == 404 else None)
        events = self.events()[after + 1 :]
        number = len(self.streams) - 1
        count, how = self.breaks[number] if number < len(self.breaks) else (len(events), "eof")
        steps: list[Step] = []
        for event in events[:count]:
            steps += [event, self.seconds_between] if self.seconds_between else [event]
        if how == "half" and count < len(events):
            steps.append(events[count][: len(events[count]) // 2])
        if how in ("reset", "half"):
            steps.append(UpstreamCut("It broke."))
        if how == "stall":
            steps.append(FOREVER)
        return Play(body=steps, seconds_to_headers=self.seconds_to_headers)

    def _item(self, *, is_over: bool) -> dict[str, Any]:
        part = {"type": "output_text", "text": "".join(self.words), "annotations": []}
        content = {"status": "completed", "content": [part]} if is_over else {"status": "in_progress", "content": []}
        return {"id": "msg_1", "type": "message", "role": "assistant", **content}

    def _numbered(self) -> Iterator[bytes]:
        for number, (kind, fields) in enumerate(self._events()):
            yield data({"type": f"response.{kind}", "sequence_number": number, **fields}, f"response.{kind}")

    def _events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "created", {"response": self.response("in_progress")}
        yield "queued", {"response": self.response("queued")}
        yield "in_progress", {"response": self.response("in_progress")}
        yield "output_item.added", {"output_index": 0, "item": self._item(is_over=False)}
        at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        part = {"type": "output_text", "text": "", "annotations": []}
        yield "content_part.added", {**at, "part": part}
        for word in self.words:
            yield "output_text.delta", {**at, "delta": word}
        yield "output_text.done", {**at, "text": "".join(self.words)}
        yield "content_part.done", {**at, "part": {**part, "text": "".join(self.words)}}
        yield "output_item.done", {"output_index": 0, "item": self._item(is_over=True)}
        if self.ending:
            yield self.ending, {"response": self.response(self.ending)}
