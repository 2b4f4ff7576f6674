"""The response of an answer: commit, heartbeat, honest end, stop. An ASGI call that watches its own client.

The handler returns this object at once; everything happens in `__call__`, where the disconnect can be seen. So a client
that leaves before the first token is noticed, and the status can still be chosen after the handler has returned.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Protocol

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.config.settings import Settings
from shared.demand import Demand
from shared.errors import AnswerError, InternalError
from shared.hosting.detach import detach
from shared.http.admission import Admission, Ticket, with_limits
from shared.http.body import ClientLeft, read_body
from shared.http.open_streams import OpenStreams
from shared.http.outbound import ClientTooSlow, ErrorPage, Outbound, OutboundState
from shared.http.stream_clock import StreamClock
from shared.progress import Phase, Progress
from shared.receipt import Receipt, Spent
from shared.translation import Translation
from shared.upstream.attempts import Answer
from shared.upstream.stream import Stream

_log = logging.getLogger(__name__)

STREAM_HEADERS: Mapping[str, str] = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


USUAL_OUTPUT_TOKENS = 1000
"""What an answer is taken to have where the request sets no limit."""

LARGE_BODY_BYTES = 1024 * 1024
"""From this size on a body is read in a thread. Up to it, reading takes less than the thread is worth."""


class Prelude(Protocol):
    """What is said before a model is asked, such as the steps of a search."""

    @property
    def translation(self) -> Translation:
        """That of the answer to come: its head, its heartbeat and its error ending."""

    @property
    def demand(self) -> Callable[[], Demand] | None:
        """What the answer asks for, as far as the request tells."""

    def blocks(self) -> AsyncGenerator[bytes]:
        """Yield what can be sent, when it happens. Raise `AnswerError` where the answer fails."""

    def answer(self) -> Answer:
        """Return the answer to ask for, after the last block."""


class Exchange(Protocol):
    """What an API contributes to one request."""

    @property
    def receipt(self) -> Receipt:
        """The receipt to fill in."""

    def started(self) -> None:
        """Note that the response has begun."""

    def prepare(self, body: bytes) -> Answer | Prelude:
        """Return the answer that the request's body asks for, or what precedes it.

        Raise `AnswerError`. May be called in another thread.
        """

    def head(self, stream: Stream | None) -> Mapping[str, str]:
        """Return the answer's headers besides those of every stream. `stream`: None while no backend has answered."""

    def error_page(self, error: AnswerError) -> ErrorPage:
        """Return the response to a failure while the status can still be chosen."""


class AnswerResponse(Response):
    """Reads the request, asks for the answer and sends it as it comes."""

    def __init__(
        self, exchange: Exchange, *, settings: Settings, open_streams: OpenStreams, admission: Admission | None = None
    ) -> None:
        """Keep the exchange, which is released with the head. `admission`: None where callers have no limits."""
        super().__init__()
        self._exchange: Exchange | None = exchange
        """None once the head has been sent: nothing of the request is needed any more, and a stream may be open for long."""
        self._receipt = exchange.receipt
        self._settings = settings
        self._open_streams = open_streams
        self._admission = admission
        self._ticket: Ticket | None = None
        self._most_output = USUAL_OUTPUT_TOKENS
        """What an answer counts that goes on without its reader, who can read it again for nothing."""
        self._source: Prelude | Answer | Stream | None = None
        """What is being answered: what precedes the answer, an answer that has not begun, then its stream."""
        self._task: asyncio.Task[object] | None = None
        self._heartbeat: asyncio.Task[None] | None = None
        self._stop: ClientLeft | AnswerError | None = None
        """Why the task was cancelled; the first reason counts."""
        self._ends_at = asyncio.get_running_loop().time() + settings.max_answer_seconds
        self._is_body_read = self._is_body_large = False
        self._was_complete: bool | None = None
        """What `_has_sent_everything` said when the answer was interrupted: nothing later changes it."""
        self._out: Outbound

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin the answer."""
        if self._exchange is not None:
            self._exchange.started()
        await detach(scope, receive, send, self._answer)

    def interrupt(self, reason: AnswerError) -> None:
        """End the answer from outside, honestly: with an error status or an error ending."""
        self._cancel(reason)

    async def _answer(self, receive: Receive, send: Send) -> None:
        """Run the answer from the request's body to its end. Return without completing a response that must be cut."""
        self._out = Outbound(send, self._receipt, self._open_streams)
        try:
            await self._run(receive)
        except ClientLeft as left:
            self._receipt.ended = left.ended
            if isinstance(left, ClientTooSlow):
                self._out.abort()
        finally:
            self._out.stop()
            self._receipt.log()

    async def _run(self, receive: Receive) -> None:
        try:
            with self._open_streams.request(self):
                await self._end(await self._outcome(receive), receive)
        except ClientLeft:
            raise
        except AnswerError as error:  # the process is stopping
            await self._end(error, receive)
        except Exception:  # noqa: BLE001 - logged under an id that the caller gets
            await self._end(self._internal_error(), receive)

    async def _outcome(self, receive: Receive) -> AnswerError | None:
        """Send the answer; return why it failed, if it did. Raise `ClientLeft`."""
        self._task = task = asyncio.current_task()
        error: AnswerError | None = None
        try:
            await self._serve(receive)
        except asyncio.CancelledError:
            if task is None or self._stop is None:
                raise
            task.uncancel()
            if isinstance(self._stop, AnswerError) and not self._has_sent_everything():
                error = self._stop
        except AnswerError as failure:
            error = failure.without_frames()
        except ClientLeft:
            raise
        except Exception:  # noqa: BLE001 - logged under an id that the caller gets
            error = self._internal_error()
        finally:
            self._task = None
        if isinstance(self._stop, ClientLeft) and not self._has_sent_everything():
            raise self._stop
        return error

    async def _serve(self, receive: Receive) -> None:
        loop = asyncio.get_running_loop()
        # No name here keeps the body or the answer, which may be large, for as long as the stream is open.
        self._source = await self._requested(receive)
        self._open_streams.begin(self)
        watch = loop.create_task(self._watch(receive))
        clock = StreamClock(
            self._current,
            self._out,
            self._settings,
            ends_at=self._ends_at,
            heartbeat=self._start_heartbeat,
            end=self._cancel,
        )
        try:
            if self._admission is not None:
                self._ticket = await self._admitted(self._admission)
            with closing(await self._begin()) as stream:
                try:
                    await self._pump(stream)
                except asyncio.CancelledError:
                    if self._ticket is not None:
                        await stream.count_the_rest()
                    raise
        finally:
            watch.cancel()
            clock.stop()
            if self._heartbeat is not None:
                self._heartbeat.cancel()
            progress = self._current().translation.progress
            self._receipt.usage, self._receipt.chunks = progress.usage, progress.chunks
            if self._ticket is not None:
                self._settle(self._ticket, progress)

    async def _admitted(self, admission: Admission) -> Ticket | None:
        """Return the caller's right to the answer. Raise `CallerLimitExceeded` or `LimitsUnavailable`."""
        asked = self._source
        assert asked is not None
        assert not isinstance(asked, Stream)
        demand = asked.demand
        if demand is None:
            return None
        asking = await asyncio.to_thread(demand) if self._is_body_large else demand()
        if asking.max_output is not None:
            self._most_output = asking.max_output
        return await admission.admit(self._receipt.caller, self._receipt.model, asking)

    def _settle(self, ticket: Ticket, progress: Progress) -> None:
        """Say what the answer used. A client that left while the model was asked may have cost the prompt."""
        attempts = self._receipt.attempts
        was_left = isinstance(self._stop, ClientLeft) and bool(attempts) and not attempts[-1].has_failed
        goes_on = isinstance(self._source, Stream) and self._source.goes_on
        spent = Spent(
            usage=progress.usage,
            output_tokens=max(progress.chunks, self._most_output) if goes_on else progress.chunks,
            is_finished=progress.phase is Phase.ENDED,
            was_asked=progress.usage is not None or progress.has_content or was_left,
            unseen_seconds=attempts[-1].seconds if attempts else 0.0,
            aside=self._receipt.aside,
        )
        ticket.settle(spent)

    async def _requested(self, receive: Receive) -> Answer | Prelude:
        body = await read_body(receive, self._settings.max_request_bytes, until=self._ends_at)
        self._is_body_read = True
        self._is_body_large = len(body) > LARGE_BODY_BYTES
        return await asyncio.to_thread(self._prepare, body) if self._is_body_large else self._prepare(body)

    def _prepare(self, body: bytes) -> Answer | Prelude:
        assert self._exchange is not None
        return self._exchange.prepare(body)

    def _current(self) -> Prelude | Answer | Stream:
        assert self._source is not None
        return self._source

    async def _begin(self) -> Stream:
        source = self._source
        assert source is not None
        assert not isinstance(source, Stream)
        if not isinstance(source, Answer):
            async with aclosing(source.blocks()) as blocks:
                async for block in blocks:
                    self._out.touch()
                    await self._write(block)
            self._source = source = source.answer()
        self._source = stream = await source.begin()
        return stream

    async def _write(self, block: bytes) -> None:
        if self._heartbeat is not None:
            await self._heartbeat  # one send at a time
        if self._out.is_open:
            await self._commit()
        await self._out.write(block)

    async def _pump(self, stream: Stream) -> None:
        block, progress = await stream.read(), stream.translation.progress
        while block and not progress.has_content:  # signs of life
            await self._write(block)
            block = await stream.read()
        if block:
            self._receipt.mark_first_token()
        out = self._out

        def offer(block: bytes) -> bool:
            return out.offer(block, can_wait=progress.can_wait)

        while block:  # `_write`, without a coroutine of its own for each chunk
            if self._heartbeat is not None:
                await self._heartbeat  # one send at a time
            if out.is_open:
                await self._commit()
            await out.write(block)
            block = b""  # the first has all that was held back before it, and the stream may be open for long
            block = await stream.read(offer)
        await out.flush()  # where an end has no block of its own, the last may wait for the client, or for more

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._cancel(ClientLeft())

    def _cancel(self, reason: ClientLeft | AnswerError) -> None:
        if self._stop is None:
            self._was_complete, self._stop = self._has_sent_everything(), reason
        if self._task is not None:
            self._task.cancel()

    def _has_sent_everything(self) -> bool:
        """Return whether the model's own ending has been sent: whoever leaves now, or stops this process, cuts nothing."""
        if self._was_complete is not None:
            return self._was_complete
        source = self._source
        return isinstance(source, Stream) and source.has_given_all and not self._out.has_unsent

    async def _commit(self) -> None:
        source, exchange = self._current(), self._exchange
        assert exchange is not None
        translation, stream = source.translation, source if isinstance(source, Stream) else None
        own = {"content-type": translation.media_type, **STREAM_HEADERS, **translation.headers}
        headers = with_limits({**own, **exchange.head(stream)}, self._ticket)
        self._exchange = None
        if isinstance(source, Answer):
            source.is_committed = True
        await self._out.commit(200 if stream is None else stream.status, headers)
        if stream is not None:
            stream.release_headers()

    def _start_heartbeat(self) -> None:
        if self._heartbeat is None:
            self._heartbeat = asyncio.get_running_loop().create_task(self._send_heartbeat())

    async def _send_heartbeat(self) -> None:
        try:
            translation = self._current().translation
            frame = translation.heartbeat or translation.padding
            if frame and not self._out.has_unsent:
                if self._out.is_open:
                    await self._commit()
                await self._out.heartbeat(frame)
        finally:
            self._heartbeat = None

    async def _end(self, error: AnswerError | None, receive: Receive) -> None:
        out, receipt = self._out, self._receipt
        receipt.ended = "finished" if error is None else error.code or str(error.status)
        if error is None:
            if out.is_open:
                await self._commit()
            await out.finish()
        elif out.is_open and self._exchange is not None:
            page = self._exchange.error_page(error)
            page = replace(page, headers=with_limits(page.headers, self._ticket))
            await out.send_error_page(page, closes=not self._is_body_read)
        elif self._source is not None and out.state is not OutboundState.CLOSED:
            try:
                await out.send_error_ending(self._source.translation.fail(error), receive)
            except TimeoutError:
                _log.info("The client of %s reads too slowly for the error ending", receipt.id)
                out.abort()

    def _internal_error(self) -> AnswerError:
        _log.exception("Unexpected failure of the answer %s", self._receipt.id)
        return InternalError.with_id(self._receipt.id)
