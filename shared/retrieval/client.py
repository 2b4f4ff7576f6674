"""The connection to the search service: its pool, its tokens, one request at a time. It never retries; `search` decides.

Keyless, as the model's service: https://learn.microsoft.com/azure/search/search-security-rbac.
"""

import asyncio
import logging
from typing import TYPE_CHECKING

from shared.config.settings import Settings
from shared.errors import ServerStopping, UpstreamErrorResponse, UpstreamFrameTooLarge
from shared.upstream.identity import FETCH_SECONDS, TokenSource, load_managed_identity, make_credential

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.upstream.transport import AiohttpTransport

_log = logging.getLogger(__name__)

API_VERSION = "2026-04-01"
"""The newest that is generally available."""
SCOPE = "https://search.azure.com/.default"
MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Fifty passages of more than 100 KB each are no passages."""


class SearchClient:
    """The client of one process. Opens nothing before the first request."""

    def __init__(self, settings: Settings, endpoint: str, credential: "AsyncTokenCredential | None" = None) -> None:
        """Keep where to ask. `credential`: what tokens come from; chosen by the settings where it is None."""
        self._settings = settings
        self._endpoint = endpoint
        self._credential = credential
        self._tokens: TokenSource | None = None
        self._transport: AiohttpTransport | None = None
        self._is_loaded = False
        self._is_closed = False

    async def load(self) -> None:
        """Import what is slow to import, in a thread."""
        if not self._is_loaded:
            await asyncio.to_thread(_import_all, managed=self._settings.has_managed_identity)
            self._is_loaded = True

    async def post(self, path: str, body: bytes) -> bytes:
        """Send one request and return the body of its answer.

        A token that is rejected with 401 is replaced, and the request sent once more. Raise `UpstreamErrorResponse` (any status
        but 2xx), `UpstreamUnreachable`, `UpstreamTimeout`, `UpstreamCut`, `UpstreamFrameTooLarge`, `IdentityUnavailable`,
        `OutOfResources`, and `ServerStopping` once the client is closed.
        """
        await self.load()
        if self._is_closed:
            raise ServerStopping("This instance is shutting down. Try again in a moment.")
        tokens = self._tokens or self._make_tokens()
        token = await tokens.token()
        try:
            return await self._send(path, body, token)
        except UpstreamErrorResponse as error:
            if error.status != 401 or not await tokens.replace(token):
                raise
        return await self._send(path, body, await tokens.token())

    def _make_tokens(self) -> TokenSource:
        settings = self._settings
        is_managed = settings.has_managed_identity
        if self._credential is None:
            self._credential = make_credential(managed=is_managed, client_id=settings.client_id)
        patience = min(
            FETCH_SECONDS, settings.search_seconds / 2
        )  # or a slow identity would be taken for a slow search
        self._tokens = TokenSource(self._credential, SCOPE, has_cache=is_managed, fetch_seconds=patience)
        return self._tokens

    async def _send(self, path: str, body: bytes, token: str) -> bytes:
        import httpx2

        from shared.upstream.transport import AiohttpTransport, body_of

        self._transport = self._transport or AiohttpTransport(self._settings.proxies)
        headers = {
            "authorization": f"Bearer {token}",
            "content-type": "application/json",
            "accept": "application/json;odata.metadata=none",
            "accept-encoding": "identity",
        }
        url = f"{self._endpoint}{path}?api-version={API_VERSION}"
        request = httpx2.Request("POST", url, headers=headers, content=body)
        answer = body_of(await self._transport.handle_async_request(request))
        try:
            data = bytearray()
            while piece := await answer.read():
                data += piece
                if len(data) > MAX_ANSWER_BYTES:
                    raise UpstreamFrameTooLarge("The search sent an answer that is too large.", cause="too large")
            return bytes(data)
        finally:
            answer.close()

    async def aclose(self) -> None:
        """Close the connections, the request for a token and the credential. Never raise; twice is once."""
        if self._is_closed:
            return
        self._is_closed = True
        closings = [one.aclose() for one in (self._tokens, self._transport) if one is not None]
        results: list[object] = await asyncio.gather(*closings, return_exceptions=True)
        if self._credential is not None:
            results += await asyncio.gather(self._credential.close(), return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                _log.warning("Not everything of the search could be closed: %s", type(result).__name__)


def _import_all(*, managed: bool) -> None:
    import httpx2  # noqa: F401

    import shared.upstream.transport  # noqa: F401

    if managed:
        load_managed_identity()
