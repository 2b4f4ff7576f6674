"""One answer at the ASGI call: a client, an upstream whose bytes a test chooses, and the exchange between them."""

import asyncio
from dataclasses import dataclass
from typing import Any

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.config.settings import Settings
from shared.errors import AnswerError, UpstreamCut
from shared.http.open_streams import OpenStreams
from shared.http.outbound import ErrorPage
from shared.http.response import AnswerResponse
from shared.openai_api.inspector import ChunkInspector, FrameInspector
from shared.openai_api.relay import StreamRelay
from shared.receipt import Receipt
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.pool import BackendPool
from shared.upstream.stream import Stream

SETTINGS = {
    "AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com",
    "AZURE_OPENAI_DEPLOYMENT": "gpt",
    "HEARTBEAT_SECONDS": "0.05",
}
EVENT = b'data: {"error":{}}\n\n'
WORD = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
OWN_FAILURE = b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"oops"}}}\n\n'
LEFT = {"type": "http.disconnect"}


class Client:
    """The server's side of one request, as ASGI has it: what was sent, when, and a client that leaves when it is told to."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.sent_at: list[float] = []
        self.left = asyncio.Event()
        self.has_error = asyncio.Event()
        self._is_asked = False

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.sent_at.append(asyncio.get_running_loop().time())
        if b'"error"' in message.get("body", b""):
            self.has_error.set()

    async def receive(self) -> Any:
        if not self._is_asked:
            self._is_asked = True
            return {"type": "http.request", "body": b"{}", "more_body": False}
        await self.left.wait()
        return LEFT

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def is_complete(self) -> bool:
        return any(not message.get("more_body", True) for message in self.sent)


@dataclass
class BreakingBody:
    """What an upstream sends before its connection breaks."""

    pieces: list[bytes]

    async def read(self) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        raise UpstreamCut("The model broke off.")

    def at_end(self) -> bool:
        return False

    def hang_up(self) -> None:
        """Nobody is there."""

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class BreakingClients:
    """Stands in for the clients: the one upstream has this body."""

    body: BreakingBody

    async def load(self) -> None:
        """Nothing is slow."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        return UpstreamResponse(200, {}, self.body)

    async def aclose(self) -> None:
        """Nothing is open."""


ERROR_PAGES: list[str] = []
"""The codes of the failures that were reported by a status, in this process."""


@dataclass
class OneAnswer:
    """An exchange whose answer is that of these clients."""

    upstream: Upstream
    inspector: FrameInspector
    receipt: Receipt

    def started(self) -> None:
        """Nothing follows from it."""

    def prepare(self, _body: bytes) -> Answer:
        call = UpstreamCall(path="p", target=Target("m", {"default": "m"}))
        return Answer(call, self._translation, self.upstream, self.receipt)

    def head(self, _stream: Stream | None) -> dict[str, str]:
        return {"x-request-id": "r1"}

    def error_page(self, error: AnswerError) -> ErrorPage:
        ERROR_PAGES.append(error.code or "")
        return ErrorPage(error.status, {"x-request-id": "r1"}, error.body())

    def _translation(self) -> StreamRelay:
        return StreamRelay(self.inspector, hides_usage=True, max_event_bytes=1 << 20)


def response_to(
    sends: bytes,
    streams: OpenStreams,
    inspector: FrameInspector | None = None,
    body: BreakingBody | None = None,
) -> AnswerResponse:
    settings = Settings.from_env(SETTINGS)
    upstream = Upstream(BreakingClients(body or BreakingBody([sends])), BackendPool(settings.backends), settings)
    receipt = Receipt(id="r1", invocation_id="i1", api="openai")
    return AnswerResponse(
        OneAnswer(upstream, inspector or ChunkInspector(), receipt), settings=settings, open_streams=streams
    )
