"""The response of an answer: commit, heartbeat, honest end, stop. An ASGI call that watches its own client.

The handler returns this object at once; everything happens in `__call__`, where the disconnect can be seen. So a client
that leaves before the first token is noticed, and the status can still be chosen after the handler has returned.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.config.settings import Settings
from shared.errors import AnswerError, InternalError, UpstreamSilent
from shared.hosting.server import run_outside
from shared.http.body import ClientLeft, read_body
from shared.http.open_streams import OpenStreams
from shared.http.stream_clock import StreamClock
from shared.last_words import send_error_ending
from shared.receipt import Receipt
from shared.upstream.attempts import Answer

_log = logging.getLogger(__name__)

STREAM_HEADERS: Mapping[str, str] = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """A response that is nothing but an error."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a api contributes to one request."""

    prepare: Callable[[bytes], Answer]
    """From the request's body to the answer that it asks for. Raises `AnswerError`."""
    head: Callable[[Answer], Mapping[str, str]]
    """The headers of the answer, beside those that every stream has."""
    error_page: Callable[[AnswerError], ErrorPage]
    """How this api tells a failure while the status can still be chosen."""
    receipt: Receipt
    on_start: Callable[[], None]


class AnswerResponse(Response):
    """Reads the request, asks for the answer and sends it as it comes."""

    def __init__(self, exchange: Exchange, *, settings: Settings, open_streams: OpenStreams) -> None:
        super().__init__()
        self._exchange = exchange
        self._settings = settings
        self._open_streams = open_streams
        self._receipt = exchange.receipt
        self._send: Send
        self._task: asyncio.Task[object] | None = None
        self._beat: asyncio.Task[None] | None = None
        self._now = asyncio.get_running_loop().time
        self._has_left = False
        self._has_spoken = False
        self._interruption: AnswerError | None = None
        self.is_committed = False
        self.is_writing = False
        self.last_write = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begins the answer."""
        self._exchange.on_start()
        await run_outside(scope, receive, send, self._answer)

    async def _answer(self, receive: Receive, send: Send) -> None:
        """The whole life of the answer. Returns without completing the response where it must be cut."""
        self._send = send
        try:
            with self._open_streams.place(self):
                # No name here keeps the body, which may be large, for as long as the answer goes on.
                await self._run(
                    self._exchange.prepare(await read_body(receive, self._settings.max_request_bytes)), receive
                )
        except ClientLeft:
            self._receipt.ended = "client_left"
        except AnswerError as error:
            await self._send_error(error)
        except Exception:  # noqa: BLE001 - logged, and told with an id
            await self._send_error(self._internal_error())
        finally:
            self._receipt.log()

    def interrupt(self, reason: AnswerError) -> None:
        """Ends the answer from outside, honestly: with an error status or an error ending."""
        self._interruption = self._interruption or reason
        if self._task is not None:
            self._task.cancel()

    async def _run(self, answer: Answer, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        watch = loop.create_task(self._watch(receive))
        clock = StreamClock(
            self,
            answer,
            self._settings,
            beat=lambda: self._start_beat(answer),
            silent=lambda: self.interrupt(UpstreamSilent("The model's service stopped in the middle of the answer.")),
        )
        try:
            error = await self._pump(answer)
        finally:
            self._task = None
            watch.cancel()
            clock.stop()
            if self._beat is not None:
                self._beat.cancel()
            self._receipt.usage, self._receipt.chunks = answer.translation.usage, answer.translation.chunks
        if self._has_left and not self._has_said_all(answer):
            raise ClientLeft
        await self._end(answer, error, receive)

    def _has_said_all(self, answer: Answer) -> bool:
        """The model's own ending has been sent; who leaves now, or stops this process, cuts nothing."""
        return answer.translation.is_ended and not self.is_writing

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._has_left = True
        if self._task is not None:
            self._task.cancel()

    async def _pump(self, answer: Answer) -> AnswerError | None:
        """Sends what comes, and returns why the answer failed, if it did."""
        try:
            if self._interruption is not None:
                return self._interruption
            async with aclosing(answer.blocks()) as blocks:
                async for block in blocks:
                    await self._write(block, answer)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or not (self._has_left or self._interruption):
                raise
            task.uncancel()
            return None if self._has_said_all(answer) else self._interruption
        except AnswerError as failure:
            return failure
        except Exception:  # noqa: BLE001 - logged, and told with an id
            return self._internal_error()
        return None

    async def _write(self, block: bytes, answer: Answer) -> None:
        self.is_writing = True
        if not self._has_spoken:
            self._has_spoken = True
            self._receipt.mark_first_token()
            if not self.is_committed:  # a heartbeat may have been first
                await self._commit(answer)
        await self._send({"type": "http.response.body", "body": block, "more_body": True})
        self.is_writing = False
        self.last_write = answer.last_read = self._now()

    async def _commit(self, answer: Answer) -> None:
        """Sends the head. From here on a failure is an error ending."""
        self.is_committed = True
        translation = answer.translation
        own = {"content-type": translation.media_type, **STREAM_HEADERS, **translation.headers}
        await self._send_head(answer.upstream_status, {**own, **self._exchange.head(answer)})
        # Nothing of either is needed any more, and a stream may be open for long.
        answer.upstream_headers = {}
        del self._exchange

    def _start_beat(self, answer: Answer) -> None:
        if self._beat is None or self._beat.done():
            self._beat = asyncio.get_running_loop().create_task(self._say_still_here(answer))

    async def _say_still_here(self, answer: Answer) -> None:
        if self._task is None or self.is_writing:
            return
        if not self.is_committed:
            await self._commit(answer)
        self.last_write = self._now()
        await self._send({"type": "http.response.body", "body": answer.translation.heartbeat, "more_body": True})

    async def _end(self, answer: Answer, error: AnswerError | None, receive: Receive) -> None:
        if error is None:
            self._receipt.ended = "finished"
            if not self.is_committed:
                await self._commit(answer)
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not self.is_committed:
            await self._send_error(error)
        else:
            self._receipt.ended = _code(error)
            try:
                await send_error_ending(answer.translation.fail(error), receive, self._send)
            except TimeoutError:
                _log.info("The client of %s reads too slowly for the error ending", self._receipt.id)

    async def _send_error(self, error: AnswerError) -> None:
        """The whole response is this error. After the commit only a cut is honest."""
        self._receipt.ended = _code(error)
        if self.is_committed:
            return
        self.is_committed = True
        page = self._exchange.error_page(error)
        await self._send_head(page.status, {**page.headers, "content-length": str(len(page.body))})
        await self._send({"type": "http.response.body", "body": page.body, "more_body": False})

    async def _send_head(self, status: int, headers: Mapping[str, str]) -> None:
        self._receipt.status = status
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    def _internal_error(self) -> AnswerError:
        _log.exception("Unexpected failure of the answer %s", self._receipt.id)
        return InternalError.with_id(self._receipt.id)


def _code(error: AnswerError) -> str:
    return error.code or str(error.status)
