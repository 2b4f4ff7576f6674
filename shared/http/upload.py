"""The response to a form with files: its body is spooled as it arrives, bounded, and never in memory as a whole."""

from collections.abc import Awaitable
from typing import Protocol

from starlette.types import Receive, Send

from shared.config.settings import Settings
from shared.http.admission import Admission
from shared.http.body import take_body
from shared.http.open_streams import OpenStreams
from shared.http.response import AnswerResponse, Exchange
from shared.http.spool import Spool
from shared.upstream.attempts import Answer
from shared.upstream.stream import Stream


class UploadExchange(Exchange, Protocol):
    """What an API contributes to one request with a form."""

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the form. Raise `AnswerError`."""

    def prepare_upload(self, spool: Spool) -> Answer:
        """Return the answer that the complete form asks for. Raise `AnswerError`."""


class UploadResponse(AnswerResponse):
    """Spools the form, then asks for the answer and sends it as any other."""

    def __init__(
        self,
        exchange: UploadExchange,
        *,
        settings: Settings,
        open_streams: OpenStreams,
        admission: Admission | None = None,
    ) -> None:
        """Keep the exchange."""
        super().__init__(exchange, settings=settings, open_streams=open_streams, admission=admission)
        self._upload = exchange
        self._spool = Spool()

    async def _answer(self, receive: Receive, send: Send) -> None:
        try:
            await super()._answer(receive, send)
        finally:
            self._spool.close()

    async def _requested(self, receive: Receive) -> Answer:
        def take(piece: bytes) -> Awaitable[None] | None:
            self._upload.feed(piece)
            return self._spool.write(piece)

        await take_body(receive, self._settings.max_upload_bytes, take, until=self._ends_at)
        await self._spool.finish()
        self._is_body_read = True
        return self._upload.prepare_upload(self._spool)

    async def _begin(self) -> Stream:
        stream = await super()._begin()
        self._spool.release()  # no other backend will be asked; unless it answers while the form is still going up
        return stream
