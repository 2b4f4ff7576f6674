"""One openai client per backend: the only module that imports openai.

Its URL rules, its authentication and its errors are used, through raw streaming; its object models are not (they cost
several times what a relayed chunk costs). It never retries by itself: `attempts` decides.
"""

import asyncio
import logging
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.errors import UpstreamTimeout, UpstreamUnreachable
from shared.hosting.late_packages import late
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.errors import error_from_status
from shared.upstream.identity import TokenSource, load_managed_identity, make_credential

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from openai import AsyncOpenAI

    from shared.upstream.transport import AiohttpTransport

_log = logging.getLogger(__name__)


class OpenAIClients:
    """The clients of all backends, their one connection pool and their one credential. Made at the first request."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._transport: AiohttpTransport | None = None
        self._credential: AsyncTokenCredential | None = None
        self._tokens: dict[str, TokenSource] = {}
        self._clients: dict[str, AsyncOpenAI] = {}
        self._loading: asyncio.Task[None] | None = None
        self._is_loaded = False

    async def load(self) -> None:
        """Imports what is slow to import, once, in a thread: meanwhile the loop serves, and sees who leaves."""
        if self._is_loaded:
            return
        if self._loading is None:
            managed = self._settings.has_managed_identity and not self._settings.api_key
            self._loading = asyncio.create_task(asyncio.to_thread(_import_all, managed=managed))
        await asyncio.shield(self._loading)
        if not self._is_loaded:
            self._is_loaded = True
            _log.info("Ready to ask the model")

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        """Sends the call to the backend and returns when its headers are there. `load` has to have been awaited.

        Raises `UpstreamErrorResponse` (any status but 2xx), `UpstreamUnreachable`, `UpstreamTimeout`, `IdentityUnavailable`.
        """
        import httpx2
        import openai

        from shared.upstream.transport import BufferedBody, ResponseBody, error_body

        client = self._clients.get(backend.name) or self._make(backend)
        options: Any = {"headers": {**call.headers, "accept-encoding": "identity"}}
        # Not by the client's own `params`: those are a mapping, and a name may come more than once (`include[]`).
        path = f"{call.path}?{urlencode(call.query)}" if call.query else call.path
        # With stream=True the response comes back as soon as its head is there, its body unread.
        unread: Any = {"cast_to": httpx2.Response, "options": options, "stream": True, "stream_cls": openai.AsyncStream}
        try:
            if call.method == "POST":
                response = await client.post(path, content=call.body(backend, deployment), **unread)
            elif call.method == "GET":
                response = await client.get(path, **unread)
            else:
                response = await client.delete(path, cast_to=httpx2.Response, options=options)
                return UpstreamResponse(response.status_code, response.headers, BufferedBody(response.content))
        except openai.APIStatusError as error:
            refusal = error_from_status(error.status_code, error.response.headers, error_body(error.response))
            raise refusal from error
        except openai.APITimeoutError as error:
            raise UpstreamTimeout("The model's service could not be reached in time.") from error
        except openai.APIConnectionError as error:
            _log.warning("Backend %s: %r", backend.name, error.__cause__)
            raise UpstreamUnreachable("The model's service could not be reached.") from error
        return UpstreamResponse(response.status_code, response.headers, ResponseBody(response))

    def _make(self, backend: Backend) -> "AsyncOpenAI":
        import httpx2
        from openai import AsyncOpenAI

        from shared.upstream.transport import AiohttpTransport

        self._transport = self._transport or AiohttpTransport()
        key = self._settings.api_key or (self._tokens_for(backend.scope).token if backend.is_azure else "none")
        self._clients[backend.name] = client = AsyncOpenAI(
            base_url=backend.base_url,
            api_key=key,
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=self._transport, timeout=None, cookies=_no_cookies()),
        )
        return client

    def _tokens_for(self, scope: str) -> TokenSource:
        if self._credential is None:
            settings = self._settings
            self._credential = make_credential(managed=settings.has_managed_identity, client_id=settings.client_id)
        if scope not in self._tokens:
            self._tokens[scope] = TokenSource(self._credential, scope)
        return self._tokens[scope]

    async def aclose(self) -> None:
        """Closes the connections and the credential."""
        if self._transport is not None:
            await self._transport.aclose()
        if self._credential is not None:
            await self._credential.close()


def _import_all(*, managed: bool) -> None:
    import httpx2  # noqa: F401

    with late("openai.types"):
        import openai  # noqa: F401

    import shared.upstream.transport  # noqa: F401

    if managed:
        load_managed_identity()


def _no_cookies() -> CookieJar:
    """Takes none: what one caller's answer sets would go up with every other caller's request."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))
