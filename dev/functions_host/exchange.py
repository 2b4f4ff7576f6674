"""One request of a client and its response: who may call, which function is asked, and how it ends.

The head of a response waits for its first byte, and the whole response for the end of the upload. Data is written in the read
that brought it. A response that the worker does not end cleanly is never ended cleanly for the client: it is reset.

As in the real host (GrpcWorkerChannel.SendInvocationRequest) a request goes to the worker in two halves: the HTTP request, then
the invocation, which is sent whether or not its HTTP request gets there, and is not taken back. Three kinds of request leave an
invocation that waits for its HTTP request, at most until functionTimeout, when the worker is killed. Measured on host 4.1037:

- A header value with a control byte (0x01 to 0x1F except TAB, 0x7F) is passed on, and the worker's server answers 400.
- A header value outside ASCII (UTF-8) is not: the host's HTTP client raises. Its client waits until the invocation ends,
  then gets an empty 500.
- A client that leaves before its request is passed on: 1 to 4 of 1,000 connections that send and reset at once. Here none
  does, unless `--http-delay` holds back the HTTP request: then each that leaves within the delay.
"""

import asyncio
import random
import re
import traceback

from dev.functions_host import answers, heads, keys, log_lines
from dev.functions_host.client_connection import ClientConnection
from dev.functions_host.forwarding import Forwarding
from dev.functions_host.functions import Match
from dev.functions_host.invocation import Invocation
from dev.functions_host.request import BUFFER_BYTES, BodyTooLarge, Headers, Request
from dev.functions_host.response_timer import ResponseTimer
from dev.functions_host.state import HostState
from dev.functions_host.trigger_metadata import trigger_metadata
from dev.functions_host.worker_process import WorkerProcess

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


class Exchange:
    """Made for a request; begun when it is the connection's turn."""

    def __init__(self, host: HostState, client: ClientConnection, request: Request) -> None:
        self._host, self._client, self._request = host, client, request
        self._task: asyncio.Task[None] | None = None
        self._forwarding: Forwarding | None = None
        self._invocation: Invocation | None = None
        self._silence = ResponseTimer(host.idle_seconds, self._silent_too_long)
        self._head: tuple[int, bytes, Headers] | None = None
        self._started = self._ended = self._over = False
        self._uploaded = not request.chunked
        self._chunked = False
        self._pieces: list[bytes] = []

    # What the client's connection calls.

    def begin(self) -> None:
        """Start; from here on it ends by itself."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def client_left(self) -> None:
        """Close the worker's connection at once, in every phase."""
        self._settle()

    def client_slow(self) -> None:
        """Read from the worker no faster than the client does."""
        if self._forwarding is not None:
            self._forwarding.pause()

    def client_ready(self) -> None:
        """Read from the worker again."""
        self._silence.touch()
        if self._forwarding is not None:
            self._forwarding.resume()

    # The way there.

    async def _run(self) -> None:
        try:
            own = await answers.own_answer(self._host, self._request)
            if own is not None:
                self._client.answer(own.status, own.body, own.content_type)
            elif self._request.header(b"host") is None:
                self._fail(500)  # HTTP/1.0 without it, as in the real host
            else:
                await self._route()
        except BodyTooLarge:
            self._fail(500)
        except Exception:
            log_lines.error(f"Internal error in dev.host:\n{traceback.format_exc()}")
            self._fail(500)

    async def _route(self) -> None:
        worker = await self._host.supervisor.worker()
        match = worker.table.find(self._request.method, self._request.path) if worker else None
        if worker is None:
            self._fail(503)
        elif match is None:
            self._fail(404)
        elif not keys.permitted(self._host.key, match.function, self._request):
            self._fail(401)
        else:
            limit = self._host.settings.body_limit_bytes
            if self._request.content_length > limit:
                raise BodyTooLarge
            body = b"" if self._request.chunked else await self._request.body.read_all(limit)
            await self._send(worker, match, body)
            if self._request.chunked:
                await self._upload(limit)

    async def _send(self, worker: WorkerProcess, match: Match, body: bytes) -> None:
        self._invocation = Invocation(match.function.name, self._expire)
        message = heads.worker_request(self._request, self._invocation.id, worker.pool.address, body)
        forwarding = Forwarding(worker.pool, message, self._request.method, self)
        self._forwarding = forwarding
        sendable = heads.forwardable(self._request)
        try:
            if sendable and self._host.http_delay_seconds is None:
                self._begin_forwarding(forwarding)
                await forwarding.head_start()
        finally:
            # In any case: the client may have left meanwhile.
            worker.invoke(self._invocation, match, self._about(body))
        if not sendable:
            await self._answer_when_returned()
        elif self._host.http_delay_seconds is not None:
            await asyncio.sleep(self._host.http_delay_seconds)
            self._begin_forwarding(forwarding)

    def _begin_forwarding(self, forwarding: Forwarding) -> None:
        self._silence.start()
        forwarding.begin()
        if self._client.slow:
            forwarding.pause()

    def _about(self, body: bytes) -> dict[str, object]:
        return {
            "trigger_metadata": trigger_metadata(self._request, body),
            "trace_parent": activity_of(self._request),
            "trace_state": (self._request.header(b"tracestate") or b"").decode("latin-1"),
        }

    async def _upload(self, limit: int) -> None:
        assert self._forwarding is not None
        while piece := await self._request.body.read():
            limit -= len(piece)
            if limit < 0:
                raise BodyTooLarge
            self._silence.touch()
            await self._forwarding.send_body(heads.chunk(piece))
        await self._forwarding.send_body(heads.LAST_CHUNK)
        self._uploaded = True
        self._forwarding.resume()
        self._deliver()

    # The way back, from the worker's connection.

    def on_head(self, status: int, reason: bytes, headers: Headers) -> None:
        """Keep it until there is a first byte, or the end."""
        if heads.deliverable(headers):
            self._head = (status, reason, headers)
        else:
            self._fail(500)

    def on_data(self, data: bytes) -> None:
        """Take some of the body."""
        if not self._over:
            self._commit()
            self._pieces.append(heads.chunk(data) if self._chunked else data)

    def on_flushed(self) -> None:
        """Write all that one read of the worker's connection brought in one write."""
        self._silence.touch()
        self._deliver()

    def on_end(self) -> None:
        """Note that the worker's response is complete."""
        if self._over:
            return
        if self._forwarding is not None:
            self._forwarding.over()
        self._commit()
        if self._chunked:
            self._pieces.append(heads.LAST_CHUNK)
        self._ended = True
        self._deliver()

    def on_lost(self) -> None:
        """Try again where the worker has cut the connection, or has died, before it answered."""
        if self._over or self._forwarding is None or self._invocation is None:
            return
        has_body = self._request.chunked or bool(self._request.content_length)
        if self._head is not None or has_body or self._invocation.failed or not self._forwarding.again():
            self._fail(500)

    def _commit(self) -> None:
        if self._started or self._head is None:
            return
        self._started = True
        status, reason, headers = self._head
        self._chunked = heads.chunked(self._request, status, headers)
        self._pieces.append(self._client.head(status, reason, headers))

    def _deliver(self) -> None:
        if self._over:
            return
        if not self._uploaded:
            if self._forwarding is not None and sum(map(len, self._pieces)) > BUFFER_BYTES:
                self._forwarding.pause()
            return
        if self._pieces:
            self._client.write(b"".join(self._pieces))
            self._pieces.clear()
        if self._ended:
            self._settle()
            self._client.finish()

    # The endings.

    def _fail(self, status: int) -> None:
        """Answer with an empty body while there can be an answer, and reset the connection after that."""
        if self._over:
            return
        self._settle()
        if self._started and self._uploaded:
            self._client.cut()
        else:
            self._client.answer(status)

    async def _answer_when_returned(self) -> None:
        assert self._invocation is not None
        await self._invocation.ended.wait()
        self._fail(500)

    def _silent_too_long(self) -> None:
        """End a response without a byte for so long. Before the first byte the real host waits for the handler as well."""
        if self._started or self._invocation is None or self._forwarding is None:
            self._fail(500)
        else:
            self._forwarding.abort()
            self._cancel_task()
            self._task = asyncio.get_running_loop().create_task(self._answer_when_returned())

    def _expire(self) -> None:
        """End a response at functionTimeout, after its handler has returned; the worker learns of it when it writes next."""
        if self._forwarding is not None:
            self._forwarding.abandon()
        self._fail(500)

    def _settle(self) -> None:
        """Take nothing more from the worker, and send nothing more there."""
        self._over = True
        self._silence.stop()
        if self._forwarding is not None:
            self._forwarding.abort()
        if self._invocation is not None:
            self._invocation.delivered()
        self._cancel_task()

    def _cancel_task(self) -> None:
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()


def activity_of(request: Request) -> str:
    """Return the `traceparent` of the host's own activity: of the caller's trace where it names one, of a new one otherwise.

    The real host sends `Activity.Current.Id` (GrpcWorkerChannel.SendInvocationRequest). A host that exports no telemetry, as
    this one, samples nothing by itself, so that a new trace has the flag 00.
    """
    found = _TRACEPARENT.fullmatch((request.header(b"traceparent") or b"").decode("latin-1"))
    trace, flags = (found[1], found[2]) if found else (f"{random.getrandbits(128) or 1:032x}", "00")
    return f"00-{trace}-{random.getrandbits(64) or 1:016x}-{flags}"
