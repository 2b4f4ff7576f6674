"""The body of a background response's stream that takes itself up again where it breaks.

    READING ── reset, cut, silence, an end without the model's ──▶ BROKEN ── 200 ──▶ READING   (3 times)
       │                                                             │
       │                                       400, 404, 409, 410: the response is read whole, and asked again while
       │                                       it goes on; what is missing is written from its output
       └── the model's ending ──▶ OVER ◀──────────────────────────────┘

Only complete events leave, each once: those whose number has been passed on are dropped. What cannot be taken up ends as it
would have without this: with the failure that broke it.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.errors import (
    AnswerError,
    UpstreamCut,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamSilent,
)
from shared.resume.link import GONE, OPENING_SECONDS, Link, is_usable_id
from shared.resume.said import Said, Unknown
from shared.resume.whole import ended_response
from shared.sse import FrameSplitter, frame_data
from shared.upstream.call import Body
from shared.upstream.wire.responses import ENDINGS, ContentEvent, decode_content_event

_log = logging.getLogger(__name__)

MAX_REOPENINGS = 3
"""How often one stream is taken up again."""
REOPENING_PAUSES = (0.0, 0.5, 1.0)
"""The seconds before each of them."""
_OVER = ENDINGS | {"response.failed", "response.cancelled", "error"}


class EmptyBody:
    """A body in place of one that could not be opened, or is not read any more."""

    async def read(self) -> bytes:
        """Return b''."""
        return b""

    def at_end(self) -> bool:
        """Return True."""
        return True

    def hang_up(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Readers(Protocol):
    """Who reads which response, in this process."""

    def came(self, response_id: str) -> None:
        """Note a reader."""

    def left(self, link: Link, response_id: str, *, is_over: bool) -> None:
        """Note that one has left. `is_over`: the response has ended."""


@dataclass(slots=True)
class Position:
    """Where a stream is: the response's id, '' until known, and the number of the last event that was passed on."""

    response_id: str = ""
    number: int | None = None


class ResumableBody:
    """See `call.Body`, and `call.Renewal`.

    `refusal`: why the stream could not be opened, where it is the response that is to be read from the beginning.
    `on_reopened` is called before each reopening, `on_rebuilt` once what is missing is written from the complete response.
    """

    def __init__(  # noqa: PLR0913 - what it reads, where it begins, and whom it tells
        self,
        body: Body,
        link: Link,
        *,
        at: Position,
        max_event_bytes: int,
        refusal: AnswerError | None = None,
        on_reopened: Callable[[], None],
        on_rebuilt: Callable[[], None],
        readers: Readers | None = None,
    ) -> None:
        """Begin to read."""
        self._body = body
        self._link = link
        self._at = at
        self._max_event_bytes = max_event_bytes
        self._refusal = refusal
        self._on_reopened = on_reopened
        self._on_rebuilt = on_rebuilt
        self._readers = readers
        self._is_reader = False
        self._said: Said | None = Said() if at.number is None or at.number < 0 else None
        """None where what was passed on before is not known."""
        self._splitter = FrameSplitter(max_event_bytes)
        self._reopenings = 0
        self._has_news = True
        """Whether something new has come since the last reopening."""
        self._is_over = False
        self._rest = b""
        self._now = asyncio.get_running_loop().time
        self._deadline: asyncio.Timeout | None = None
        self.last_sign = self._now()
        self._come()

    async def read(self) -> bytes:
        """Return the next complete events; b'' once the response has ended. Raise the failure that could not be got over."""
        if self._refusal is not None:
            refusal, self._refusal = self._refusal, None
            await self._read_whole(refusal)
        while True:
            if self._rest:
                rest, self._rest = self._rest, b""
                return rest
            try:
                data = await self._read_patiently()
            except UpstreamFailure as failure:
                await self._go_on(failure)
                continue
            if data:
                self._rest = self._passed_on(data)
            elif self._is_over or not self._can_go_on():
                return self._splitter.flush()
            else:
                await self._go_on(UpstreamCut("The upstream closed the stream before the response was complete."))

    def at_end(self) -> bool:
        """Return whether the body is complete and read."""
        return not self._rest and self._body.at_end()

    def hang_up(self) -> None:
        """Do nothing: what goes on without its reader is not stopped so, and a broken body would be taken up again."""

    def close(self) -> None:
        """Release it at once. A response that goes on has a reader less."""
        self._body.close()
        if self._readers is not None and self._is_reader:
            self._is_reader = False
            self._readers.left(self._link, self._at.response_id, is_over=self._is_over)

    def renew(self) -> bool:
        """Take a silent stream up again; return False where that is not possible."""
        if self._deadline is None:
            return True  # on the way already; each step has its own time
        if not self._can_go_on():
            return False
        self._deadline.reschedule(self._now())
        return True

    async def _read_patiently(self) -> bytes:
        try:
            async with asyncio.timeout(None) as self._deadline:
                return await self._body.read()
        except TimeoutError:
            raise UpstreamSilent("The upstream stopped in the middle of the response.") from None
        finally:
            self._deadline = None

    def _can_go_on(self) -> bool:
        at = self._at
        is_known = at.number is not None and is_usable_id(at.response_id)
        return is_known and not self._is_over and self._reopenings < MAX_REOPENINGS

    # What comes.

    def _passed_on(self, data: bytes) -> bytes:
        return b"".join([frame for frame in self._splitter.feed(data) if self._is_new(frame)])

    def _is_new(self, frame: bytes) -> bool:
        data = frame_data(frame)
        if not data:
            return True
        try:
            event = decode_content_event(data)
        except UpstreamMalformed:  # the translation says so
            return True
        number, last = event.sequence_number, self._at.number
        if self._reopenings and number is not None and last is not None and number <= last:
            return False
        self._note(event)
        return True

    def _note(self, event: ContentEvent) -> None:
        self._has_news = True
        if event.sequence_number is not None:
            self._at.number = event.sequence_number
        if not self._at.response_id and event.response is not None:
            self._at.response_id = event.response.id or ""
            self._come()
        if event.type in _OVER:
            self._is_over = True
        elif self._said is not None:
            self._said.note(event)

    def _come(self) -> None:
        if self._readers is not None and not self._is_reader and is_usable_id(self._at.response_id):
            self._is_reader = True
            self._readers.came(self._at.response_id)

    # Going on.

    async def _go_on(self, failure: AnswerError) -> None:
        """Return once there is something to read again. Raise `failure` where there will not be."""
        self._body.close()
        if not self._can_go_on():
            raise failure
        if not self._has_news and isinstance(failure, UpstreamCut):  # it ends again and again: has it ended?
            await self._read_whole(failure)
            return
        while self._reopenings < MAX_REOPENINGS:
            await asyncio.sleep(REOPENING_PAUSES[self._reopenings])
            self._reopenings += 1
            self._on_reopened()
            _log.info("%s: taking a stream up again: %s", self._link.backend.name, failure.code)
            try:
                await self._reopen()
            except UpstreamErrorResponse as refusal:
                if refusal.status in GONE:
                    await self._read_whole(failure)
                    return
            except (UpstreamFailure, TimeoutError):
                pass
            else:
                return
        raise failure

    async def _reopen(self) -> None:
        assert self._at.number is not None
        async with asyncio.timeout(OPENING_SECONDS):
            response = await self._link.stream(self._at.response_id, self._at.number)
        self._body = response.body
        self._splitter = FrameSplitter(self._max_event_bytes)
        self._has_news = False

    async def _read_whole(self, failure: AnswerError) -> None:
        """Wait for the response's end, and leave to `read` what is missing. Raise `failure` where nobody can say."""
        response = await ended_response(self._link, self._at.response_id, on_sign=self._note_sign)
        if response is None:
            raise failure
        self._take(response, failure)

    def _note_sign(self) -> None:
        self.last_sign = self._now()

    def _take(self, response: dict[str, object], failure: AnswerError) -> None:
        """Take what is missing out of a response that has ended."""
        number = -1 if self._at.number is None else self._at.number
        try:
            if self._said is None:
                raise Unknown
            frames = self._said.missing(response, number=number + 1)
        except (Unknown, AttributeError, KeyError, TypeError):  # an output of another shape
            raise failure from None
        self._on_rebuilt()
        self._rest, self._body, self._is_over = b"".join(frames), EmptyBody(), True
