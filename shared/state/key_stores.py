"""Where this app keeps its signing keys: in its storage account, or in development without one, in a file."""

from collections.abc import Mapping

from shared.state.blob_keys import BlobKeyStore, MakeCredential
from shared.state.file_keys import FileKeyStore
from shared.state.signing_key import KeyStore, KeyStoreError
from shared.state.storage_account import StorageAccount


def find_key_store(env: Mapping[str, str], make_credential: MakeCredential) -> KeyStore:
    """Return the store that the environment's settings describe.

    Raise `KeyStoreError` where they cannot be used, and in Azure where there are none: its instances share no disk.
    """
    account = StorageAccount.from_env(env)
    if account is not None:
        return BlobKeyStore(account, make_credential)
    if env.get("WEBSITE_SITE_NAME"):
        raise KeyStoreError("no storage account is named; expected AzureWebJobsStorage__blobServiceUri")
    return FileKeyStore()
