"""One openai client per backend: the only module that imports openai.

Its URL rules and its authentication are used, through raw streaming; its object models are not (they cost several times
what a relayed chunk costs), and its errors never occur: `transport` raises ours. It never retries by itself: `attempts`
decides.
"""

import asyncio
import logging
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.errors import ServerStopping, UpstreamErrorResponse
from shared.header_values import clean_value
from shared.hosting.late_packages import late
from shared.upstream.call import Body, UpstreamCall, UpstreamResponse
from shared.upstream.identity import FETCH_SECONDS, TokenSource, load_managed_identity, make_credential
from shared.upstream.sign_in import SignIn

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from openai import AsyncOpenAI

    from shared.upstream.transport import AiohttpTransport

_log = logging.getLogger(__name__)


class OpenAIClients:
    """The clients of all backends, their one connection pool and their one credential. Made at the first request.

    `credential`: what tokens come from; chosen by the settings where it is None.
    """

    def __init__(self, settings: Settings, credential: "AsyncTokenCredential | None" = None) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._credential = credential
        self._transport: AiohttpTransport | None = None
        self._tokens: dict[str, TokenSource] = {}
        self._clients: dict[str, AsyncOpenAI] = {}
        self._loading: asyncio.Task[None] | None = None
        self._is_loaded = False
        self._is_closed = False

    async def load(self) -> None:
        """Import what is slow to import, once, in a thread: meanwhile the loop serves, and sees who leaves.

        Raise what the import raises. The next call tries again: a process that was out of file descriptors may not be then.
        """
        if self._is_loaded:
            return
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load())
        await asyncio.shield(self._loading)

    async def _load(self) -> None:
        managed = self._settings.has_managed_identity and not self._settings.api_key
        await asyncio.to_thread(_import_all, managed=managed)
        self._is_loaded = True
        _log.info("Ready to ask the model")

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        """Send the call to the backend and return when its headers are there. `load` has to have been awaited.

        A token that the backend rejects with 401 is replaced, and the call sent once more. Raise `UpstreamErrorResponse`
        (any status but 2xx), `UpstreamUnreachable`, `UpstreamTimeout`, `IdentityUnavailable`, `OutOfResources`, and
        `ServerStopping` once the clients are closed.
        """
        if self._is_closed:
            raise ServerStopping("This instance is shutting down. Try again in a moment.")
        client = self._clients.get(backend.name) or self._make(backend)
        tokens = self._tokens_for(backend)
        if tokens is None:
            return await _send(client, call, backend, deployment)
        sent = await tokens.token()
        try:
            return await _send(client, call, backend, deployment)
        except UpstreamErrorResponse as error:
            if error.status != 401 or not await tokens.replace(sent):
                raise
        return await _send(client, call, backend, deployment)

    def _make(self, backend: Backend) -> "AsyncOpenAI":
        import httpx2
        from openai import AsyncOpenAI

        from shared.upstream.transport import AiohttpTransport

        self._transport = self._transport or AiohttpTransport(self._settings.proxies)
        tokens = self._tokens_for(backend)
        self._clients[backend.name] = client = AsyncOpenAI(
            base_url=backend.base_url,
            api_key=tokens.token if tokens else self._settings.api_key or "none",
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=self._transport, timeout=None, cookies=_no_cookies()),
        )
        return client

    def _tokens_for(self, backend: Backend) -> TokenSource | None:
        """Return the tokens that the backend takes; None where it takes a key, or nothing."""
        settings, scope = self._settings, backend.scope
        sign_in = SignIn.of(settings, backend)
        if sign_in is SignIn.KEY or sign_in is SignIn.NONE:
            return None
        is_managed = sign_in is SignIn.MANAGED_IDENTITY
        if self._credential is None:
            self._credential = make_credential(managed=is_managed, client_id=settings.client_id)
        if scope not in self._tokens:
            # Half of the time for the first content: or that would pass first, and be taken for the backend's fault.
            seconds = min(FETCH_SECONDS, settings.first_content_seconds / 2)
            self._tokens[scope] = TokenSource(self._credential, scope, has_cache=is_managed, fetch_seconds=seconds)
        return self._tokens[scope]

    async def aclose(self) -> None:
        """Close the clients, their connections, the requests for tokens and the credential. Never raise; twice is once."""
        if self._is_closed:
            return
        self._is_closed = True
        closings = [client.close() for client in self._clients.values()]
        closings += [tokens.aclose() for tokens in self._tokens.values()]
        if self._transport is not None:
            closings.append(self._transport.aclose())
        results: list[object] = await asyncio.gather(*closings, return_exceptions=True)
        if self._credential is not None:  # after the requests that use it
            results += await asyncio.gather(self._credential.close(), return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                _log.warning("Not everything could be closed: %s", type(result).__name__)


async def _send(client: "AsyncOpenAI", call: UpstreamCall, backend: Backend, deployment: str) -> UpstreamResponse:
    import httpx2
    import openai

    from shared.upstream.response_body import BufferedBody, UnframedBody, is_unframed_json
    from shared.upstream.transport import FORM_TYPE, body_of

    content: Any = call.body(backend, deployment) if call.upload is None else call.upload(backend, deployment)
    headers = {name: clean_value(value) for name, value in call.headers.items()}
    if call.upload is not None:
        headers |= {FORM_TYPE: content.content_type, "content-length": str(content.size)}
    options: Any = {"headers": {**headers, "accept-encoding": "identity"}}
    address = call.path if call.address is None else call.address(backend, deployment)
    # Not by the client's own `params`: those are a mapping, and a name may come more than once (`include[]`).
    path = f"{address}?{urlencode(call.query)}" if call.query else address
    # With stream=True the response comes back as soon as its head is there, its body unread.
    unread: Any = {"cast_to": httpx2.Response, "options": options, "stream": True, "stream_cls": openai.AsyncStream}
    if call.method == "POST":
        response = await client.post(path, content=content, **unread)
    elif call.method == "GET":
        response = await client.get(path, **unread)
    else:
        assert call.method == "DELETE"
        response = await client.delete(path, cast_to=httpx2.Response, options=options)
        return UpstreamResponse(response.status_code, response.headers, BufferedBody(response.content))
    body: Body = body_of(response)
    if not call.streams and is_unframed_json(response.headers):
        body = UnframedBody(body)
    return UpstreamResponse(response.status_code, response.headers, body)


def _import_all(*, managed: bool) -> None:
    import httpx2  # noqa: F401

    with late("openai.types"):
        import openai  # noqa: F401

    import shared.upstream.transport  # noqa: F401

    if managed:
        load_managed_identity()


def _no_cookies() -> CookieJar:
    """Return a jar that takes none: what one caller's answer sets would go up with every other caller's request."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))
