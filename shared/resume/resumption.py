"""One answer whose upstream can be taken up again: it makes the body resumable. See `call.Resumption`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from shared.config.backends import Backend
from shared.errors import UpstreamErrorResponse
from shared.receipt import Receipt
from shared.resume.body import EmptyBody, Position, Readers, ResumableBody
from shared.resume.link import GONE, Link
from shared.resume.whole import MISSING_SECONDS, POLLING_PAUSES
from shared.upstream.call import UpstreamClients, UpstreamResponse


class Resumption:
    """Serves one request. Each attempt at it begins anew."""

    def __init__(
        self,
        receipt: Receipt,
        *,
        headers: Mapping[str, str],
        max_event_bytes: int,
        query: Sequence[tuple[str, str]] = (),
        readers: Readers | None = None,
    ) -> None:
        """`headers` and `query`: those of the request that go up. `readers`: None where nobody minds who reads."""
        self._receipt = receipt
        self._headers = headers
        self._max_event_bytes = max_event_bytes
        self._query = query
        self._readers = readers
        self._after: int | None = None
        self._response_id = ""
        self._reopenings = 0
        self.is_rebuilt = False
        """Whether the rest of the answer was written from the complete response: its pieces are others."""

    def continues(self, response_id: str, *, after: int | None = -1) -> None:
        """Note that the stream is that of a response which exists, from above a number on; None where that is not known."""
        self._response_id, self._after = response_id, after

    async def opened(
        self, send: Callable[[], Awaitable[UpstreamResponse]], clients: UpstreamClients, backend: Backend
    ) -> UpstreamResponse:
        """Return what `send` does, with a body that is resumable. Raise what `send` raises.

        A response that exists may be missing for a while, once it has ended: it is asked for again. Where it is to be read from
        its beginning, and its stream is not to be had any more, it is read whole.
        """
        refusal = None
        try:
            response = await (self._found(send) if self._response_id else send())
        except UpstreamErrorResponse as error:
            if not self._response_id or self._after != -1 or error.status not in GONE - {404}:
                raise
            refusal = error
            response = UpstreamResponse(200, {"content-type": "text/event-stream"}, EmptyBody())
        body = ResumableBody(
            response.body,
            Link(clients, backend, self._headers, self._query),
            at=Position(self._response_id, self._after),
            max_event_bytes=self._max_event_bytes,
            refusal=refusal,
            on_reopened=self._note_reopening,
            on_rebuilt=self._note_rebuilding,
            readers=self._readers,
        )
        return replace(response, body=body, renewal=body)

    async def _found(self, send: Callable[[], Awaitable[UpstreamResponse]]) -> UpstreamResponse:
        now = asyncio.get_running_loop().time
        until, pauses = now() + MISSING_SECONDS, iter(POLLING_PAUSES)
        pause = 0.0
        while True:
            try:
                return await send()
            except UpstreamErrorResponse as error:
                if error.status != 404 or now() >= until:
                    raise
            pause = next(pauses, pause)
            await asyncio.sleep(pause)

    def _note_reopening(self) -> None:
        self._reopenings += 1
        self._receipt.resume["reopened"] = self._reopenings

    def _note_rebuilding(self) -> None:
        self.is_rebuilt = True
        self._receipt.resume["rebuilt"] = True
