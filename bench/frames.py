"""The wire format of the benchmark's answers: chat completion chunks of Azure's size, each with its time of sending.

A chunk's text is a mark, `@` and eight hexadecimal digits: the microseconds of the machine's monotonic clock, which every
process shares. The mark survives every transformation by a subject, so the load client can count chunks and measure the delay
of each.
"""

import json
import re
import time

MARK = b"@"
MARK_BYTES = 9
MASK = 0xFFFFFFFF
_MARKS = re.compile(rb"@([0-9a-f]{8})")
_HOLE = "@00000000"

_SAFE = {"filtered": False, "severity": "safe"}
_FILTERS = {"hate": _SAFE, "self_harm": _SAFE, "sexual": _SAFE, "violence": _SAFE}
_ENVELOPE = {
    "id": "chatcmpl-CeXx0000bench0000stream0000",
    "object": "chat.completion.chunk",
    "created": 1763600000,
    "model": "gpt-5.4-mini-2026-03-17",
    "system_fingerprint": "fp_bench00000",
}


def now_micros() -> int:
    """Return the time as encoded in a mark."""
    return (time.monotonic_ns() // 1000) & MASK


def delays_micros(data: bytes, now: int) -> list[int]:
    """Return the age of each complete mark in `data`."""
    return [(now - int(one, 16)) & MASK for one in _MARKS.findall(data)]


def http_chunk(data: bytes) -> bytes:
    """Encode one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _frame(**fields: object) -> bytes:
    return b"data: " + json.dumps(_ENVELOPE | fields, separators=(",", ":")).encode() + b"\n\n"


def _choice(delta: dict[str, str], finish_reason: str | None = None) -> list[dict[str, object]]:
    # Only some chunks have content filter results; `obfuscation` pads like the service.
    return [{"index": 0, "delta": delta, "finish_reason": finish_reason, "content_filter_results": {}}]


_PREAMBLE = [{"prompt_index": 0, "content_filter_results": _FILTERS}]
_USAGE = {"prompt_tokens": 90, "completion_tokens": 200, "total_tokens": 290}
FIRST_FRAMES = (
    _frame(id="", object="", created=0, model="", choices=[], prompt_filter_results=_PREAMBLE, usage=None),
    _frame(choices=_choice({"role": "assistant", "content": ""}), usage=None),
)
CONTENT_FRAME = _frame(choices=_choice({"content": _HOLE}), usage=None, obfuscation="k3Jx9QpLw2")
LAST_FRAMES = (
    _frame(choices=_choice({}, "stop"), usage=None),
    _frame(choices=[], usage=_USAGE),
    b"data: [DONE]\n\n",
)

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n"
    b"x-request-id: 00000000-0000-0000-0000-000000000000\r\napim-request-id: 00000000-0000-0000-0000-000000000000\r\n"
    b"x-ms-region: Bench\r\nx-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 999999\r\n\r\n"
)
BEGINNING = HEAD + b"".join(http_chunk(frame) for frame in FIRST_FRAMES)
ENDING = b"".join(http_chunk(frame) for frame in LAST_FRAMES) + b"0\r\n\r\n"
CHUNK_BEFORE, CHUNK_AFTER = http_chunk(CONTENT_FRAME).split(_HOLE.encode())
CHUNK_BEFORE += MARK


def content_chunk() -> bytes:
    """Return one chunk of text, marked with the current time."""
    return b"%b%08x%b" % (CHUNK_BEFORE, now_micros(), CHUNK_AFTER)
