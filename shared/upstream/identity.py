"""Tokens for Azure OpenAI: the only module that imports azure.identity. No key anywhere.

A managed identity in Azure (`AZURE_CLIENT_ID` where it is user-assigned); on a developer's machine the account that is
signed in to the Azure CLI or the Azure Developer CLI. One credential per process; one token per scope, shared by all
streams.
"""

import asyncio
import logging
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.config.redaction import address
from shared.errors import IdentityUnavailable
from shared.hosting.late_packages import late

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

_log = logging.getLogger(__name__)

FETCH_SECONDS = 10.0
"""How long the identity endpoint may take for a token; it answers within milliseconds, or a second after a cold start."""
REFRESH_BEFORE_SECONDS = 300.0
RETRY_REFRESH_SECONDS = 30.0
USABLE_SECONDS = 10.0
"""A token that is valid for this long, by this machine's clock, is not waited for."""
REPLACE_SECONDS = 60.0
"""How long a token that replaced a rejected one is kept, whatever upstreams say of it."""
MAX_CAUSE_CHARACTERS = 300
_TOKEN = re.compile(r"[\x21-\x7e]+")
_QUOTED_REPLY = re.compile(r"Content:|[{<]")
"""Where azure.identity's messages begin to quote what the endpoint sent."""
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]+")
_NO_CLAIMS = "{}"
"""Claims keep azure.identity from answering out of its own cache, and a managed identity sends none of them anywhere."""


def make_credential(*, managed: bool, client_id: str) -> "AsyncTokenCredential":
    """Return the credential, chosen explicitly and not by trying. Import azure.identity, which is slow, only here."""
    if managed:
        from azure.identity.aio import ManagedIdentityCredential

        # Never through a forward proxy: the request carries the identity's secret, the reply a token, and the endpoint is on
        # this machine.
        return ManagedIdentityCredential(client_id=client_id or None, use_env_settings=False)
    from azure.identity.aio import AzureCliCredential, AzureDeveloperCliCredential, ChainedTokenCredential

    return ChainedTokenCredential(AzureCliCredential(), AzureDeveloperCliCredential())


def load_managed_identity() -> None:
    """Import what `make_credential` needs in Azure, without what only certificates need."""
    with late("cryptography"):
        import azure.identity.aio  # noqa: F401


class TokenSource:
    """Single-flight token cache for one scope. Concurrent callers share one request.

    A token is renewed in the background from 300 s before it expires; its callers get the one in hand meanwhile, and wait
    only where that has less than 10 s left. The request takes at most `fetch_seconds`, and is cancelled when the last
    waiter leaves, unless a usable token is in hand.

    `has_cache`: the credential keeps tokens of its own, and has to be asked past them for a fresh one.
    """

    def __init__(
        self,
        credential: "AsyncTokenCredential",
        scope: str,
        *,
        has_cache: bool = False,
        fetch_seconds: float = FETCH_SECONDS,
    ) -> None:
        """Begin without a token; the first caller fetches one."""
        self._credential = credential
        self._scope = scope
        self._has_cache = has_cache
        self._fetch_seconds = fetch_seconds
        self._held: AccessToken | None = None
        self._renew_at = 0.0
        """Wall clock, as a token's own expiry."""
        self._fetch: asyncio.Task[AccessToken] | None = None
        self._waiting = 0
        self._replaced_at = float("-inf")
        """Monotonic clock."""

    async def token(self) -> str:
        """Return a bearer token. Raise `IdentityUnavailable`."""
        held, now = self._held, time.time()
        if held is not None and now < held.expires_on - USABLE_SECONDS:
            if now >= self._renew_at:
                self._start_fetch()
            return held.token
        try:
            return (await self._wait_for(self._start_fetch())).token
        except IdentityUnavailable:
            if held is None or time.time() >= held.expires_on - 1:
                raise
            return held.token

    async def replace(self, rejected: str) -> bool:
        """Fetch another token in place of one that an upstream answered with 401. Return whether there is one now.

        At most once in `REPLACE_SECONDS`: an upstream that rejects every token must not flood the identity endpoint. The
        rejected one is kept until then: other upstreams may still take it, and the identity endpoint may not answer.
        """
        if self._is_held(rejected) and self._fetch is not None:
            await self._settle(self._fetch)
        now = time.monotonic()
        if self._is_held(rejected) and now >= self._replaced_at + REPLACE_SECONDS:
            self._replaced_at = now
            await self._settle(self._start_fetch(past_cache=self._has_cache))
        return not self._is_held(rejected)

    async def aclose(self) -> None:
        """Cancel the request that is under way."""
        fetch, self._fetch = self._fetch, None
        if fetch is not None:
            fetch.cancel()
            await asyncio.wait([fetch])

    def _is_held(self, token: str) -> bool:
        return self._held is not None and self._held.token == token

    def _is_usable(self) -> bool:
        return self._held is not None and time.time() < self._held.expires_on - 1

    def _start_fetch(self, *, past_cache: bool = False) -> "asyncio.Task[AccessToken]":
        """Return the request that is under way, or a new one."""
        if self._fetch is None or self._fetch.done():
            self._fetch = fetch = asyncio.create_task(self._renew(past_cache=past_cache))
            fetch.add_done_callback(self._fetched)
        return self._fetch

    def _fetched(self, fetch: "asyncio.Task[AccessToken]") -> None:
        if self._fetch is fetch:
            self._fetch = None
        if not fetch.cancelled():
            fetch.exception()  # retrieved: a background request has nobody else who would

    async def _wait_for(self, fetch: "asyncio.Task[AccessToken]") -> "AccessToken":
        self._waiting += 1
        try:
            return await asyncio.shield(fetch)
        except asyncio.CancelledError:
            if fetch.cancelled() and not _is_cancelled():
                raise _unavailable() from None
            raise
        finally:
            self._waiting -= 1
            if self._waiting == 0 and not fetch.done() and not self._is_usable():
                self._fetch = None
                fetch.cancel()

    async def _settle(self, fetch: "asyncio.Task[AccessToken]") -> None:
        """Wait for a request whose failure changes nothing: it is in the log."""
        with suppress(IdentityUnavailable):
            await self._wait_for(fetch)

    async def _renew(self, *, past_cache: bool) -> "AccessToken":
        soon = (
            time.time() + RETRY_REFRESH_SECONDS
        )  # also where the endpoint returns the token that it has returned before
        self._renew_at = soon
        claims = _NO_CLAIMS if past_cache else None
        try:
            async with asyncio.timeout(self._fetch_seconds):
                token = _checked(await self._credential.get_token(self._scope, claims=claims))
        except Exception as error:  # noqa: BLE001 - whatever a reply makes the library raise, it is no token
            _log.error("No token for the scope %s: %s", address(self._scope), self._cause(error))
            raise _unavailable() from None
        self._held, self._renew_at = token, max(token.expires_on - REFRESH_BEFORE_SECONDS, soon)
        return token

    def _cause(self, error: Exception) -> str:
        """Return what the log may say: the library's own sentence, but nothing of a reply, which may hold a token."""
        from azure.core.exceptions import AzureError

        if isinstance(error, TimeoutError):
            return f"no answer within {self._fetch_seconds:g} s"
        status = getattr(error, "status_code", None)
        if not isinstance(error, AzureError) or status == 200:
            return f"the reply is not a token ({type(error).__name__})"
        if status is not None:
            return f"HTTP status {status} ({type(error).__name__})"
        sentence = _QUOTED_REPLY.split(str(error), maxsplit=1)[0]
        return _NOT_PRINTABLE.sub(" ", sentence).strip()[:MAX_CAUSE_CHARACTERS]


def _unavailable() -> IdentityUnavailable:
    return IdentityUnavailable(
        "The identity endpoint of this service did not issue a token. The operator can find the cause in the log.",
        cause="the identity endpoint issued no token",
    )


def _is_cancelled() -> bool:
    """Return whether it is the caller's own task that is being cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _checked(token: "AccessToken") -> "AccessToken":
    """Return the token. Raise for one that no header can carry, or that expires at no time; the types are a reply's."""
    if not _TOKEN.fullmatch(token.token):
        raise ValueError("not a token")
    if not isinstance(token.expires_on, int):
        raise TypeError("not a time")
    float(token.expires_on)  # or OverflowError
    return token
