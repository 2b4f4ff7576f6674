"""`python -m bench.pauses`: how long somebody else's stream stops while the worst bodies are read, and the memory they take.

One stream with a chunk every 5 ms goes through a worker; next to it each body is sent three times. The pause is the longest
age of a chunk at its arrival. This machine's own noise only adds to it: the shortest pause of the three counts, and the first
row has no body. What looks into bodies besides is on: callers' limits, and OPENAI_STATEFUL. Memory is the peak above what the
worker took just before the body; the last row is what it has kept of them all.
"""

import argparse
import asyncio
import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import uvloop

from bench.connection import BadAnswer, Recorder
from bench.limits import LIMITS
from bench.plan import ENDLESS, Plan
from bench.processes import resident_bytes
from bench.roster import relay_with
from bench.service import ServiceProcess
from bench.subject import FunctionApp

MIB = 1024 * 1024
BODY_BYTES = 16 * MIB - 1024
"""Just within the default of MAX_REQUEST_BYTES."""
CHUNK_SECONDS = 0.005
SETTLE_SECONDS = 0.5
WARM_SECONDS = 2.0
"""Until the worker has imported what its first answer needs."""
ANSWER_SECONDS = 60.0
QUIET = "no body"
V1, CHAT = "/v1/chat/completions", "/chat?format=sse"
_ABOUT = {"trigger_metadata": {}, "trace_parent": "", "trace_state": ""}


type Body = Callable[[int], bytes]
"""Makes a body of at most so many bytes."""


def _filled(start: bytes, item: bytes, end: bytes) -> Body:
    return lambda size: start + item * ((size - len(start) - len(end)) // len(item)) + end


def _numbered(start: bytes, item: bytes, end: bytes) -> Body:
    """Like `_filled`, with a number of eight digits in each item."""

    def body(size: int) -> bytes:
        count = (size - len(start) - len(end)) // len(item % 0)
        return start + b"".join(item % number for number in range(count)) + end

    return body


_USER = b'{"messages":[{"role":"user","content":'
BODIES: Mapping[str, tuple[str, Body]] = {
    "text": (V1, _filled(b'{"messages":[{"role":"user","content":"', b"hello, it is: ", b'"}]}')),
    "text with an emoji": (
        V1,
        _filled(b'{"messages":[{"role":"user","content":"\xf0\x9f\x98\x80', b"hi ", b'"}]}'),
    ),
    "quotation marks in a text": (V1, _filled(_USER + b'"', b'\\"', b'"}]}')),
    "image addresses in a text": (V1, _filled(_USER + b'"', b'\\"data:image/', b'"}]}')),
    "fields": (V1, _numbered(b'{"a":0', b',"k%08d":0', b"}")),
    "fields with lone surrogates": (V1, _numbered(b'{"a":0', b',"k%08d\\ud800":0', b"}")),
    "stream_options of fields": (
        V1,
        _numbered(b'{"stream":true,"stream_options":{"a":0', b',"k%08d":0', b"}}"),
    ),
    "numbers": (V1, _filled(b'{"input":[0', b",1234", b"]}")),
    "empty lists": (V1, _filled(b'{"x":[[]', b",[]", b"]}")),
    "lone surrogates": (V1, _filled(b'{"x":"', b"\\ud800", b'"}')),
    "pairs and a lone surrogate": (V1, _filled(b'{"x":"\\ud800', b"\\ud83d\\ude00", b'"}')),
    "backslashes": (V1, _filled(b'{"x":"\\ud800', b"\\\\", b'"}')),
    "chat: text": (CHAT, _filled(b'{"input":"', b"hello, it is: ", b'"}')),
    "chat: text with an emoji": (CHAT, _filled(b'{"input":"\xf0\x9f\x98\x80', b"hi ", b'"}')),
    "chat: a name with an emoji": (CHAT, _filled(b'{"\xf0\x9f\x98\x80', b"hi ", b'":1}')),
    "chat: many names with an emoji": (
        CHAT,
        _numbered(b'{"input":"x"', b',"\xf0\x9f\x98\x80%08d' + b"x" * 4000 + b'":0', b"}"),
    ),
    "chat: many texts with an emoji": (
        CHAT,
        _filled(
            _USER + b'[{"type":"text","text":"x"}',
            b',{"type":"text","text":"\xf0\x9f\x98\x80' + b"x" * 16_000 + b'"}',
            b"]}]}",
        ),
    ),
    "chat: an option with an emoji": (CHAT, _filled(b'{"input":"x","model":"\xf0\x9f\x98\x80', b"hi ", b'"}')),
    "chat: a context with an emoji": (
        CHAT,
        _filled(b'{"messages":[{"role":"user","content":"x"}],"context":{"a":"\xf0\x9f\x98\x80', b"hi ", b'"}}'),
    ),
    "chat: escapes": (CHAT, _filled(b'{"input":"x', b"\\n", b'"}')),
    "chat: backslashes without an end": (CHAT, _filled(b'{"input":"\\ud800', b"\\\\", b"")),
    "chat: unknown fields": (CHAT, _numbered(b'{"input":"x"', b',"k%08d":0', b"}")),
    "chat: unknown fields with lone surrogates": (CHAT, _numbered(b'{"a":0', b',"k%08d\\ud800":0', b"}")),
    "chat: parts": (
        CHAT,
        _filled(_USER + b'[{"type":"text","text":"x"}', b',{"type":"text","text":"x"}', b"]}]}"),
    ),
    "chat: empty lists": (CHAT, _filled(b'{"messages":[[]', b",[]", b"]}")),
    "chat: messages": (CHAT, _filled(b'{"messages":[0', b',{"role":"user","content":"x"}', b"]}")),
    "chat: numbers beyond all range": (CHAT, _filled(b'{"seed":[0', b",1e999", b"]}")),
    "chat: an integer": (CHAT, _filled(b'{"seed":', b"1", b"}")),
    "chat: a fraction": (CHAT, _filled(b'{"temperature":0.', b"1", b"}")),
    "chat: lone surrogates": (CHAT, _filled(b'{"input":"', b"\\ud800", b'"}')),
    "chat: pairs and a lone surrogate": (CHAT, _filled(b'{"input":"\\ud800', b"\\ud83d\\ude00", b'"}')),
    "chat: unfinished escapes": (CHAT, _filled(b'{"input":"\\ud800', b"\\ud", b'"}')),
    "chat: nesting": (CHAT, _filled(b'{"messages":', b"[", b"")),
}
"""The path and the body, by its name: those of every fault that one body has been, and large ones that mean no harm."""


def main() -> int:
    """Measure the rows and print them as they come. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.pauses", description=__doc__)
    parser.add_argument("--names", metavar="A,B", help="only these bodies")
    parser.add_argument("--rounds", type=int, default=3, help="how often each body is sent")
    arguments = parser.parse_args()
    names = arguments.names
    chosen = names.split(",") if names else list(BODIES)
    if unknown := [name for name in chosen if name not in BODIES]:
        parser.error(f"unknown: {', '.join(unknown)}; expected some of {', '.join(BODIES)}")
    print(f"{'body of 16 MiB':44} {'status':>6} {'seconds':>8} {'pause, ms':>10} {'memory, MiB':>12}")
    uvloop.run(_measure(chosen, arguments.rounds))
    return 0


async def _measure(names: list[str], rounds: int) -> None:
    service = ServiceProcess()
    subject = relay_with("everything on", {"CALLER_LIMITS": json.dumps({"*": LIMITS}), "OPENAI_STATEFUL": "on"})
    try:
        await subject.start(service)
        await service.play(Plan(CHUNK_SECONDS, ENDLESS))
        recorder = Recorder(is_on=True)
        connection, _, _ = await subject.ask(recorder)
        await asyncio.sleep(WARM_SECONDS)
        at_rest = resident_bytes([subject.worker.pid])
        for name in [QUIET, *names]:
            path, make = BODIES.get(name, (V1, lambda _size: b""))
            body = make(BODY_BYTES)
            before = resident_bytes([subject.worker.pid])
            _reset_peak(subject.worker.pid)
            taken = [await _round(subject, path, body, recorder) for _ in range(rounds)]
            status, memory = taken[-1][0], (_peak(subject.worker.pid) - before) / MIB
            seconds, pause = (min(one[at] for one in taken) for at in (1, 2))
            print(f"{name:44} {status or '':>6} {seconds:8.2f} {pause:10.0f} {memory:12.0f}", flush=True)
        kept = (resident_bytes([subject.worker.pid]) - at_rest) / MIB
        print(f"{'kept':44} {'':>6} {'':>8} {'':>10} {kept:12.0f}")
        connection.abort()
    finally:
        subject.stop()
        service.stop()


async def _round(subject: FunctionApp, path: str, body: bytes, recorder: Recorder) -> tuple[int, float, float]:
    """Return the status of one request, its seconds, and the longest pause in milliseconds."""
    await asyncio.sleep(SETTLE_SECONDS)
    recorder.delays.clear()
    began = time.monotonic()
    status = await asyncio.to_thread(_send, subject, path, body) if body else 0
    seconds = time.monotonic() - began
    await asyncio.sleep(SETTLE_SECONDS)
    return status, seconds, max(recorder.delays) / 1000


def _send(subject: FunctionApp, path: str, body: bytes) -> int:
    """Send one request on a connection of its own; return its status, and leave."""
    invocation_id = subject.worker.invoke("POST", path.partition("?")[0], _ABOUT)
    head = (
        f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-ms-invocation-id: {invocation_id}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", subject.worker.port), timeout=ANSWER_SECONDS) as connection:
        connection.sendall(head.encode())
        connection.sendall(body)
        line = connection.recv(MIB).partition(b"\r\n")[0]
    if not line.startswith(b"HTTP/1.1 "):
        raise BadAnswer(f"no answer: {line[:80]!r}\n{subject.log}")
    return int(line[9:12])


def _reset_peak(pid: int) -> None:
    """Begin a new peak of resident memory."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise BadAnswer("the worker has ended")


if __name__ == "__main__":
    sys.exit(main())
