"""Leases in tables of the app's own storage account: the only module that imports azure.data.tables.

One partition per caller. Rows: a window's key, and `<key>|<process>` for each lease of it.
https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
"""

import asyncio
import base64
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from shared.limits.lease import Lease, Parent
from shared.limits.store import Changed, OthersLease, Rows, StoreError
from shared.state.storage_account import StorageAccount

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.data.tables.aio import TableClient

LIMITS_TABLE = "callerlimits"
"""Made by infra/, and by the first writer where that did not make the account."""

_REQUEST_SECONDS = 2
"""The longest silence within any request; whoever waits for one knows how long that is worth."""
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
_CONFLICTS = frozenset({404, 409, 412})
"""A row was deleted, made or changed by somebody else since it was read."""
_ROLE_HINT = {403: ": the app's identity needs the role Storage Table Data Contributor on the account"}

type Row = Mapping[str, Any]
MakeCredential = Callable[[str], "AsyncTokenCredential"]
"""From a client id, '' for the system-assigned identity. Slow where it imports."""
type OpenClient = Callable[[], "tuple[TableClient, AsyncTokenCredential | None]"]
"""Makes the client of a table, and the credential to close with it. Imports the SDK: it runs in a thread."""


class Table:
    """The connection to a table: one client for as long as the process lives."""

    def __init__(self, open_client: OpenClient) -> None:
        """Connect to nothing yet."""
        self._open_client = open_client
        self._opening: asyncio.Task[None] | None = None
        self._client: TableClient | None = None
        self._credential: AsyncTokenCredential | None = None

    async def load(self) -> None:
        """Import the SDK and make the client, which connects with the first request."""
        if self._client is None:
            await self._open()

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
        if self._credential is not None:
            await self._credential.close()

    async def _query(self, filtered: str, parameters: Mapping[str, str]) -> tuple[Sequence[Row], float]:
        """Return the rows, and the store's time."""
        times: list[float] = []
        async with self._table() as table:
            found = [
                row
                async for row in table.query_entities(
                    filtered,
                    parameters=dict(parameters),
                    raw_response_hook=lambda response: times.append(_date(response)),
                )
            ]
        if not times:
            raise StoreError("the table's answer has no date")
        return found, times[-1]

    @asynccontextmanager
    async def _table(self) -> "AsyncIterator[TableClient]":
        """Raise `Changed` for a conflict, `StoreError` for whatever else the SDK raises inside."""
        if self._client is None:
            await self._open()
        assert self._client is not None
        from azure.core.exceptions import AzureError

        try:
            yield self._client
        except AzureError as error:
            code = getattr(error, "error_code", None)
            if getattr(code, "value", code) == "TableNotFound":
                await self._create()
                raise Changed from None
            if getattr(error, "status_code", None) in _CONFLICTS:
                raise Changed from None
            raise StoreError(described(error)) from None
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the SDK raises of an answer that is none
            raise StoreError(f"the table's answer could not be read ({type(error).__name__})") from None

    async def _open(self) -> None:
        """Open the client once, however many wait for it."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._load())
        try:
            await asyncio.shield(self._opening)
        finally:
            if self._opening is not None and self._opening.done() and self._client is None:
                self._opening = None

    async def _load(self) -> None:
        try:
            self._client, self._credential = await asyncio.to_thread(self._open_client)
        except ImportError as error:
            raise StoreError(f"the module {error.name} is missing; its package is in requirements.txt") from None
        except ValueError:
            raise StoreError("the storage account's settings are not valid") from None

    async def _create(self) -> None:
        from azure.core.exceptions import AzureError

        assert self._client is not None
        try:
            await self._client.create_table()
        except AzureError as error:
            if getattr(error, "status_code", None) != 409:
                raise StoreError(described(error)) from None


class TableStore(Table):
    """See `store.LeaseStore`."""

    async def read(self, caller: str, window: str, owner: str) -> Rows:
        """Return both rows, by one request."""
        keys = (window, _lease_key(window, owner))
        found, now = await self._query(
            "PartitionKey eq @caller and ( RowKey eq @window or RowKey eq @lease )",
            {"caller": partition(caller), "window": keys[0], "lease": keys[1]},
        )
        by_key = {row["RowKey"]: row for row in found}
        parent, lease = (by_key.get(key) for key in keys)
        return Rows(
            Parent(number(parent, "granted"), number(parent, "spent")),
            _lease(lease),
            (_tag(parent), _tag(lease)),
            now,
        )

    async def write(self, caller: str, window: str, owner: str, rows: Rows) -> None:
        """Write both rows in one transaction."""
        parent, lease = rows.parent, rows.lease
        values = (
            {"granted": parent.granted, "spent": parent.spent},
            {"held": lease.held, "spent": lease.spent, "expires": int(lease.expires_at * 1000)},
        )
        keys = (window, _lease_key(window, owner))
        async with self._table() as table:
            operations = [
                _operation({"PartitionKey": partition(caller), "RowKey": key} | numbers(row), tag)
                for key, row, tag in zip(keys, values, rows.tags, strict=True)
            ]
            await table.submit_transaction(operations)

    async def leases(self, caller: str, window: str) -> Sequence[OthersLease]:
        """Return every lease of a window."""
        found, _ = await self._query(
            "PartitionKey eq @caller and RowKey gt @first and RowKey lt @last",
            {"caller": partition(caller), "first": window + "|", "last": window + "}"},
        )
        return [OthersLease(row["RowKey"].rpartition("|")[2], _lease(row)) for row in found]

    async def remove(self, caller: str, window: str, owner: str) -> None:
        """Remove both rows; whoever comes second finds none."""
        for key in (_lease_key(window, owner), window):
            async with self._table() as table:
                with suppress(Changed):
                    await table.delete_entity(partition(caller), key)


def client_options() -> dict[str, Any]:
    """Return what every client is made with: nothing is repeated below the limiter, which knows how long to wait."""
    return {
        "retry_total": 0,
        "connection_timeout": _REQUEST_SECONDS,
        "read_timeout": _REQUEST_SECONDS,
        "permit_redirects": False,  # the request carries a token
    }


def client_of(
    account: StorageAccount, table: str, make_credential: MakeCredential
) -> "tuple[TableClient, AsyncTokenCredential | None]":
    """Return the client of a table, and its credential. Import the SDK, which takes its time: called in a thread."""
    from azure.data.tables.aio import TableClient

    options = client_options()
    if account.connection_string:
        return TableClient.from_connection_string(account.connection_string, table, **options), None
    credential = make_credential(account.client_id)
    return TableClient(account.table_service_uri, table, credential=credential, **options), credential


def partition(caller: str) -> str:
    """Return the key of a caller's rows: its name, or where the table does not take that, an encoding of it."""
    if _PLAIN_NAME.fullmatch(caller):
        return caller
    return "~" + base64.urlsafe_b64encode(caller.encode("utf-8", "surrogatepass")).decode().rstrip("=")


def described(error: Exception) -> str:
    """Return the kind, the status and the service's code, and none of its text."""
    status = getattr(error, "status_code", None)
    code = getattr(error, "error_code", None)
    parts = [type(error).__name__, *(str(getattr(part, "value", part)) for part in (status, code) if part)]
    return f"the table did not take the request ({' '.join(parts)}){_ROLE_HINT.get(status or 0, '')}"


def _lease_key(window: str, owner: str) -> str:
    return f"{window}|{owner}"


def _lease(row: Row | None) -> Lease:
    return Lease(number(row, "held"), number(row, "spent"), number(row, "expires") / 1000)


def number(row: Row | None, name: str) -> int:
    """Return a whole number of a row; 0 where it has none. Raise `StoreError` for what is none."""
    value: Any = (row or {}).get(name, 0)
    try:
        return int(getattr(value, "value", value))
    except (TypeError, ValueError, OverflowError):
        raise StoreError("a row of the table has no number where one belongs") from None


def numbers(values: Mapping[str, int]) -> dict[str, Any]:
    """Return whole numbers as a row has them: of 64 bits."""
    from azure.data.tables import EdmType, EntityProperty

    return {name: EntityProperty(value, EdmType.INT64) for name, value in values.items()}


def _operation(row: Row, tag: str) -> Any:
    """Return one write of a transaction, which depends on the row being as it was read, or missing as it was."""
    if not tag:
        return ("create", row)
    from azure.core import MatchConditions
    from azure.data.tables import UpdateMode

    return (
        "update",
        row,
        {"mode": UpdateMode.REPLACE, "etag": tag, "match_condition": MatchConditions.IfNotModified},
    )


def _tag(row: Any) -> str:
    if row is None:
        return ""
    if tag := row.metadata.get("etag"):
        return str(tag)
    raise StoreError("a row of the table has no version")


def _date(response: Any) -> float:
    """Return the time that an answer says; raise `StoreError` where it says none."""
    try:
        return parsedate_to_datetime(response.http_response.headers["Date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        raise StoreError("the table's answer has no date") from None
