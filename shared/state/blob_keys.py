"""Signing keys in blobs of the app's own storage account: the only module that imports azure.storage.

One blob of 32 bytes a key, `signing-keys/<number>`. To rotate, put a second blob with the next number and restart the app:
the new key signs, and both verify until the old blob is deleted.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from shared.state.signing_key import FIRST_NUMBER, LAST_NUMBER, SECRET_BYTES, KeyStoreError
from shared.state.storage_account import StorageAccount

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.blob.aio import ContainerClient

CONTAINER = "state"
"""Made by infra/, and by the first writer where that did not make the account."""
FOLDER = "signing-keys/"

_API_VERSION = "2021-12-02"
"""Old enough for every cloud and for a developer's Azurite, which refuses versions newer than itself."""
_RETRIES = 2
_RETRY_SECONDS = 1
_REQUEST_SECONDS = 2
_ROLE_HINT = {403: ": the app's identity needs the role Storage Blob Data Owner or Contributor on the account"}

MakeCredential = Callable[[str], "AsyncTokenCredential"]
"""From a client id, '' for the system-assigned identity. Slow where it imports; it runs in a thread."""


class BlobKeyStore:
    """The keys of all instances of the app. Connections and credential live as long as one call."""

    def __init__(self, account: StorageAccount, make_credential: MakeCredential) -> None:
        """Connect to nothing yet."""
        self._account = account
        self._make_credential = make_credential

    async def read(self) -> Mapping[int, bytes]:
        """Return the content of each blob, by number; b'' of one that has not `SECRET_BYTES`."""
        from_blobs: dict[int, bytes] = {}
        async with self._container() as container:
            from azure.core.exceptions import ResourceNotFoundError

            with suppress(ResourceNotFoundError):  # no container yet, or a blob that was deleted meanwhile
                async for blob in container.list_blobs(name_starts_with=FOLDER):
                    if (number := _number(blob.name)) is not None:
                        has_key = blob.size == SECRET_BYTES
                        from_blobs[number] = await _content(container, blob.name) if has_key else b""
        return from_blobs

    async def add(self, number: int, secret: bytes) -> None:
        """Make the blob, unless it is there already (If-None-Match: *)."""
        async with self._container() as container:
            from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

            with suppress(ResourceExistsError, ResourceModifiedError):
                try:
                    await container.upload_blob(f"{FOLDER}{number}", secret, overwrite=False)
                except ResourceNotFoundError:
                    await _create(container)
                    await container.upload_blob(f"{FOLDER}{number}", secret, overwrite=False)

    @asynccontextmanager
    async def _container(self) -> "AsyncIterator[ContainerClient]":
        """Raise `KeyStoreError` for whatever the SDK raises inside."""
        try:
            open_client, credential = await asyncio.to_thread(self._load)
        except ImportError as error:
            raise KeyStoreError(f"the module {error.name} is missing; its package is in requirements.txt") from None
        from azure.core.exceptions import AzureError

        try:
            async with open_client() as container:
                yield container
        except AzureError as error:
            raise KeyStoreError(_described(error)) from error
        except ValueError as error:  # by the SDK, of a connection string
            raise KeyStoreError("AzureWebJobsStorage is not valid; expected a connection string") from error
        finally:
            if credential is not None:
                await credential.close()

    def _load(self) -> "tuple[Callable[[], ContainerClient], AsyncTokenCredential | None]":
        """Import the SDK, which takes its time: called in a thread."""
        from azure.storage.blob.aio import ContainerClient, LinearRetry

        options: dict[str, Any] = {
            "api_version": _API_VERSION,
            "retry_policy": LinearRetry(
                backoff=_RETRY_SECONDS, retry_total=_RETRIES, random_jitter_range=_RETRY_SECONDS
            ),
            "connection_timeout": _REQUEST_SECONDS,
            "read_timeout": _REQUEST_SECONDS,
            "permit_redirects": False,  # the request carries a token
        }
        account = self._account
        if account.connection_string:
            return lambda: ContainerClient.from_connection_string(account.connection_string, CONTAINER, **options), None
        credential = self._make_credential(account.client_id)
        return lambda: ContainerClient(account.blob_service_uri, CONTAINER, credential, **options), credential


async def _content(container: "ContainerClient", name: str) -> bytes:
    download = await container.download_blob(name)
    return await download.readall()


async def _create(container: "ContainerClient") -> None:
    from azure.core.exceptions import ResourceExistsError

    with suppress(ResourceExistsError):
        await container.create_container()


def _number(name: str) -> int | None:
    text = name.removeprefix(FOLDER)
    is_number = text.isascii() and text.isdigit() and not text.startswith("0") and len(text) <= len(str(LAST_NUMBER))
    return int(text) if is_number and FIRST_NUMBER <= int(text) <= LAST_NUMBER else None


def _described(error: Exception) -> str:
    """Return the kind, the status and the service's code, and none of its text."""
    status = getattr(error, "status_code", None)
    code = getattr(error, "error_code", None)
    parts = [type(error).__name__, *(str(getattr(part, "value", part)) for part in (status, code) if part)]
    return f"the storage account did not take the request ({' '.join(parts)}){_ROLE_HINT.get(status or 0, '')}"
