"""Tokens for Azure OpenAI: the only module that imports azure.identity. No key anywhere.

A managed identity in Azure (`AZURE_CLIENT_ID` where it is user-assigned); on a developer's machine whoever is signed in
to the Azure CLI or the Azure Developer CLI. One credential per process; one token per scope, shared by all streams.
"""

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from shared.config.redaction import address
from shared.errors import IdentityUnavailable

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential

_log = logging.getLogger(__name__)

REFRESH_BEFORE_SECONDS = 300.0
RETRY_REFRESH_SECONDS = 30.0


def make_credential(*, managed: bool, client_id: str) -> "AsyncTokenCredential":
    """The credential, chosen explicitly and not by a long guess. Imports azure.identity, which is slow, only here."""
    if managed:
        from azure.identity.aio import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=client_id or None)
    from azure.identity.aio import AzureCliCredential, AzureDeveloperCliCredential, ChainedTokenCredential

    return ChainedTokenCredential(AzureCliCredential(), AzureDeveloperCliCredential())


def load_managed_identity() -> None:
    """Imports what `make_credential` needs in Azure."""
    import azure.identity.aio  # noqa: F401


class TokenSource:
    """One scope's token: fetched once for all who wait, renewed in time, and not fetched for nobody.

    When the last one waiting has left, the request to the identity endpoint is cancelled.
    """

    def __init__(self, credential: "AsyncTokenCredential", scope: str) -> None:
        self._credential = credential
        self._scope = scope
        self._token: AccessToken | None = None
        self._renew_at = 0.0
        self._fetch: asyncio.Task[AccessToken] | None = None
        self._waiting = 0

    async def token(self) -> str:
        """A bearer token. Raises `IdentityUnavailable`."""
        now = time.time()
        if self._token is not None and now < self._renew_at:
            return self._token.token
        try:
            self._token = await self._shared_fetch()
            self._renew_at = self._token.expires_on - REFRESH_BEFORE_SECONDS
        except IdentityUnavailable:
            if self._token is None or now >= self._token.expires_on - 1:
                raise
            self._renew_at = now + RETRY_REFRESH_SECONDS  # the old one is still good: ask again in a while
        return self._token.token

    async def _shared_fetch(self) -> "AccessToken":
        if self._fetch is None or self._fetch.done():
            self._fetch = asyncio.create_task(self._get())
        fetch = self._fetch
        self._waiting += 1
        try:
            return await asyncio.shield(fetch)
        finally:
            self._waiting -= 1
            if self._waiting == 0 and not fetch.done():
                fetch.cancel()
                self._fetch = None

    async def _get(self) -> "AccessToken":
        from azure.core.exceptions import AzureError

        try:
            return await self._credential.get_token(self._scope)
        except (AzureError, ValueError, TypeError, LookupError) as error:  # the latter: a reply that it could not read
            _log.error(
                "No token for %s: %s",
                address(self._scope),
                error if isinstance(error, AzureError) else type(error).__name__,
            )
            raise IdentityUnavailable(
                "This service could not get a token for its own identity. Its operator can see the cause in the log."
            ) from error
