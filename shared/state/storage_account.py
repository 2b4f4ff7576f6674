"""Which storage account the app has: what the Functions host is told of it, read from the same settings.

https://learn.microsoft.com/azure/azure-functions/functions-reference#connecting-to-host-storage-with-an-identity
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.config.addresses import Address
from shared.state.signing_key import KeyStoreError

_ACCOUNT_NAME = re.compile(r"[a-z0-9]{3,24}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageAccount:
    """The addresses of an account's services, and whose identity reads them; or, in development, a connection string."""

    blob_service_uri: str = ""
    table_service_uri: str = ""
    client_id: str = ""
    """Of a user-assigned identity; '' for the system-assigned one."""
    connection_string: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "StorageAccount | None":
        """Return the account, or None where none is named. Raise `KeyStoreError` for a setting that cannot be used."""
        name = env.get("AzureWebJobsStorage__accountName", "").strip()
        uri = env.get("AzureWebJobsStorage__blobServiceUri", "").strip()
        tables = env.get("AzureWebJobsStorage__tableServiceUri", "").strip()
        client_id = env.get("AzureWebJobsStorage__clientId", "").strip()
        connection_string = env.get("AzureWebJobsStorage", "").strip()
        if uri:
            return cls(
                blob_service_uri=_checked_uri("blob", uri),
                table_service_uri=_checked_uri("table", tables) if tables else "",
                client_id=client_id,
            )
        if name:
            if not _ACCOUNT_NAME.fullmatch(name):
                raise KeyStoreError(
                    "AzureWebJobsStorage__accountName is not valid; expected 3 to 24 lower-case letters and digits"
                )
            services = {kind: f"https://{name}.{kind}.core.windows.net" for kind in ("blob", "table")}
            return cls(blob_service_uri=services["blob"], table_service_uri=services["table"], client_id=client_id)
        if connection_string and env.get("WEBSITE_SITE_NAME"):
            raise KeyStoreError(
                "AzureWebJobsStorage is a connection string, which is for development only: set "
                "AzureWebJobsStorage__blobServiceUri and AzureWebJobsStorage__credential, and give "
                "the app's identity the role Storage Blob Data Owner"
            )
        return cls(connection_string=connection_string) if connection_string else None


def _checked_uri(kind: str, uri: str) -> str:
    found = Address.parse(uri)
    # A token is sent there. The emulator's account is a path.
    if found is None or found.scheme != "https" or found.query or found.fragment:
        raise KeyStoreError(
            f"AzureWebJobsStorage__{kind}ServiceUri is not valid; expected an address such as "
            f"https://account.{kind}.core.windows.net"
        )
    return found.root + found.path.rstrip("/")
