"""Readers that turn each wire format into the same events: dicts with a `type`, as documented by the service."""

import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
from httpx_sse import EventSource

Event = dict[str, Any]


async def read_sse(response: httpx.Response) -> AsyncGenerator[Event]:
    """Read server-sent events, https://html.spec.whatwg.org/multipage/server-sent-events.html; heartbeats are comments."""
    async for frame in EventSource(response).aiter_sse():
        if frame.data:
            event = frame.json()
            if frame.id:
                event["seq"] = frame.id  # as the lines of `ndjson` have it
            yield event


async def read_ndjson(response: httpx.Response) -> AsyncGenerator[Event]:
    """Read one event per line; heartbeats are events too, and are skipped."""
    held = b""
    async for data in response.aiter_bytes():
        *lines, held = (held + data).split(b"\n")  # not `aiter_lines`, which also splits at U+2028 and others
        for line in lines:
            event = json.loads(line)
            if event["type"] != "heartbeat":
                yield event


async def read_text(response: httpx.Response) -> AsyncGenerator[Event]:
    """Read plain text. The format has no error event: httpx raises when the connection does not end cleanly."""
    async for text in response.aiter_text():
        yield {"type": "delta", "text": text}
    yield {"type": "finished", "finish_reason": None}


async def read_json(response: httpx.Response) -> AsyncGenerator[Event]:
    """Read a complete JSON answer, and yield the events a stream of it would have had."""
    answer = json.loads(await response.aread())
    yield {"type": "started", "id": answer["id"], "model": answer["model"]}
    for kind in ("step", "source"):
        for fields in answer.get(f"{kind}s", ()):
            yield {"type": kind, **fields}
    if "reasoning" in answer:
        yield {"type": "reasoning", "text": answer["reasoning"]}
    yield {"type": "delta", "text": answer["text"]}
    if "usage" in answer:
        yield {"type": "usage", **answer["usage"]}
    yield {"type": "finished", "finish_reason": answer["finish_reason"]}


MEDIA_TYPES = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "text": "text/plain",
    "json": "application/json",
}
READERS: dict[str, Callable[[httpx.Response], AsyncGenerator[Event]]] = {
    "sse": read_sse,
    "ndjson": read_ndjson,
    "text": read_text,
    "json": read_json,
}
