"""Runs cases on the real worker behind the development host: real heads, real framing, a client on a socket."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from random import Random
from typing import Any

import h11

from tests.app_process import App
from tests.fuzz.case import Asked, Case, Headers, Pause, Step, raw
from tests.fuzz.framing import make_wire
from tests.fuzz.requests import huge_request, make_asked
from tests.fuzz.seen import MOST_LOG_CHARACTERS, Seen
from tests.fuzz.setups import NOT_IN_LOG, SETUPS, TOKEN
from tests.fuzz.sockets import Sockets
from tests.fuzz.wire import Done

SETUP = "keys"
PATIENCE_SECONDS = 12.0
"""Then the client leaves, as it may have to: a whole answer is waited for 230 s, an invocation without its request 10 s."""
TRACEBACK = "Traceback (most recent call last)"
SETTLE_SECONDS = 0.5
LOG_SECONDS = 1.0
"""Until the last record has come from the worker to the host."""
_SETTINGS = SETUPS[SETUP] | {"AZURE_OPENAI_API_KEY": TOKEN, "DEBUG_HEADERS": "false"}
_OWN_HEADERS = ("host", "content-length", "transfer-encoding", "connection", "expect", "te")


def make_for_worker(dice: Random) -> Case:
    """Return a case of the surface `worker`."""
    asked = huge_request(dice, 200_000) if dice.random() < 0.02 else make_asked(dice)
    case = make_wire(dice, asked, SETUP)
    headers = _sendable(asked.headers, is_odd=dice.random() < 0.02)
    leaves = dice.choice((0.0, 0.1)) if dice.random() < 0.1 else None
    asked = Asked(
        method=asked.method,
        path=_sendable_path(asked.path),
        query=_sendable_path(asked.query),
        headers=headers,
        body=asked.body,
        is_chunked=asked.is_chunked,
        leaves_after_seconds=leaves,
        leaves_after_bytes=case.asked.leaves_after_bytes or 2_000_000,
    )
    return Case(surface="worker", setup=SETUP, asked=asked, replies=case.replies)


def run_worker(cases: Iterator[Case], done: Done) -> list[str]:
    """Run them, one after the other; return what is wrong with the worker and its log in the end."""
    return asyncio.run(_run(cases, done))


async def _run(cases: Iterator[Case], done: Done) -> list[str]:
    async with Sockets() as upstream:
        app = await asyncio.to_thread(_start, upstream.url)
        try:
            worker = app.worker_pid
            for number, case in enumerate(cases):
                upstream.play(case.replies, number)
                seen = await _ask(app, case)
                done(case, seen)
                await _settle(upstream)
            await asyncio.sleep(LOG_SECONDS)
            problems = list(_log_problems(app.log))
            if app.worker_pid != worker:
                problems.append("the worker is another one")
            return problems
        finally:
            await asyncio.to_thread(app.stop)


async def _settle(upstream: Sockets) -> None:
    """Wait until a connection has said all that it was to say: what comes later may be taken for the next case's answer."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while upstream.playing and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def _start(url: str) -> App:
    settings: dict[str, Any] = _SETTINGS | {"AZURE_OPENAI_ENDPOINT": url}
    return App.start(None, **settings)


async def _ask(app: App, case: Case) -> Seen:
    seen = Seen()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(app.url.rpartition(":")[2]))
    sending = asyncio.create_task(_send(case.asked, writer))
    leaves = case.asked.leaves_after_seconds
    try:
        async with asyncio.timeout(PATIENCE_SECONDS if leaves is None else leaves):
            await _receive(case.asked, reader, seen)
    except ConnectionError:
        # TCP loses an answer that is sent while its request still comes: the host refuses some by their heads.
        seen.has_left = not seen.status
    except TimeoutError:
        seen.has_left = True
    sending.cancel()
    writer.transport.abort()
    return seen


async def _send(asked: Asked, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        await _send_all(asked, writer)


async def _send_all(asked: Asked, writer: asyncio.StreamWriter) -> None:
    body: list[Step] = list(asked.body)
    size = sum(len(raw(step)) for step in body if not isinstance(step, Pause))
    target = asked.path + (f"?{asked.query}" if asked.query else "")
    length = ("transfer-encoding", "chunked") if asked.is_chunked else ("content-length", str(size))
    headers = [("host", "localhost"), length, ("connection", "close"), *asked.headers]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    writer.write(f"{asked.method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
    for step in body:
        if isinstance(step, Pause):
            await asyncio.sleep(min(step.seconds, 0.1))
        elif data := raw(step):
            writer.write(b"%x\r\n%b\r\n" % (len(data), data) if asked.is_chunked else data)
        await writer.drain()
    if asked.is_chunked:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _receive(asked: Asked, reader: asyncio.StreamReader, seen: Seen) -> None:
    parser = h11.Connection(h11.CLIENT)
    parser.send(h11.Request(method=asked.method, target="/", headers=[("host", "x")]))
    parser.send(h11.EndOfMessage())
    try:
        while not seen.is_complete:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                if not data and not seen.status:
                    return
                parser.receive_data(data)
            elif isinstance(event, h11.Response):
                seen.status = event.status_code
                seen.headers = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
            elif isinstance(event, h11.Data):
                seen.body += event.data
                if asked.leaves_after_bytes is not None and len(seen.body) > asked.leaves_after_bytes:
                    seen.has_left = True
                    return
            elif isinstance(event, h11.EndOfMessage):
                seen.is_complete = True
            elif isinstance(event, h11.ConnectionClosed):
                return
    except h11.RemoteProtocolError as error:
        if "closed connection" not in str(error) and "incomplete" not in str(error):
            seen.problems.append(f"no HTTP: {error}")


def _log_problems(log: str) -> Iterator[str]:
    for secret in NOT_IN_LOG:
        if secret in log:
            at = log.index(secret)
            yield f"{secret} in the worker's log: {log[max(0, at - 200) : at + 50]!r}"
    for traceback in log.split(TRACEBACK)[1:]:
        # That one is meant: the host logs an invocation whose request it could not pass on.
        if "RequestNeverArrived" not in traceback.partition("\nERROR")[0]:
            yield f"a traceback in the worker's log: {traceback[:1500]}"
    if "internal_error" in log:
        yield "internal_error in a receipt"
    if longest := max((len(line) for line in log.splitlines()), default=0) > 2 * MOST_LOG_CHARACTERS:
        yield f"a line of {longest} characters in the worker's log"
    ids = [line.partition('"id":"')[2].partition('"')[0] for line in log.splitlines() if '"event":"answer"' in line]
    if len(set(ids)) < len(ids):
        yield "two receipts of one answer"


def _sendable(headers: Headers, *, is_odd: bool) -> Headers:
    """Return the headers that a client may add. `is_odd`: also those that the host does not pass on."""
    kept = [(name, value) for name, value in headers if name not in _OWN_HEADERS]
    if is_odd:
        return kept
    return [(name, value) for name, value in kept if value.isascii() and value.isprintable() and len(value) < 16_000][
        :80
    ]


def _sendable_path(path: str) -> str:
    return "".join(character for character in path if "!" <= character <= "~")
