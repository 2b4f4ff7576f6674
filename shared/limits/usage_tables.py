"""The ledger in the table that has the leases. Rows: `u:<day>|<model>|<id>`, in the partition of their caller."""

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields
from itertools import batched
from typing import Any

from shared.limits.store import Changed, StoreError
from shared.limits.tables import Row, Table, number, numbers, partition
from shared.limits.usage import NOTHING, Period, Spot, Sums, UsageRow

MOST_OPERATIONS = 100
"""Of a transaction: https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions"""
READ_SECONDS = 10
"""How long the service may take for one page of rows: longer than for a lease, which a request waits for."""
_LONGEST_MODEL = 200
_COLUMNS = tuple(field.name for field in fields(Sums))


class UsageTable(Table):
    """See `usage_store.UsageStore`."""

    async def put(self, caller: str, rows: Sequence[UsageRow]) -> None:
        """Write the rows, as many in one transaction as it takes."""
        for batch in batched(rows, MOST_OPERATIONS, strict=False):
            async with self._table() as table:
                await table.submit_transaction([("upsert", _entity(partition(caller), row)) for row in batch])

    async def sums(self, caller: str | None, period: Period) -> Mapping[Spot, Sums]:
        """Return the sums, added up as the rows come: of a caller from its partition, of all from the whole table."""
        found: dict[Spot, Sums] = {}
        try:
            async for row in self._rows(caller, period):
                spot = Spot(str(row["caller"]), str(row["day"]), str(row["model"]))
                found[spot] = found.get(spot, NOTHING) + Sums(*(number(row, column) for column in _COLUMNS))
        except Changed:  # there was no table
            return {}
        except (KeyError, TypeError):
            raise StoreError("a row of the ledger cannot be read") from None
        return found

    async def _rows(self, caller: str | None, period: Period) -> AsyncIterator[Row]:
        filtered = "RowKey ge @first and RowKey lt @last"
        parameters = {"first": f"u:{period.first}|", "last": f"u:{period.last}}}"}
        if caller is not None:
            filtered = "PartitionKey eq @caller and " + filtered
            parameters["caller"] = partition(caller)
        async with self._table() as table:
            async for row in table.query_entities(filtered, parameters=parameters, read_timeout=READ_SECONDS):
                yield row


def _entity(caller_key: str, row: UsageRow) -> dict[str, Any]:
    spot = row.spot
    return {
        "PartitionKey": caller_key,
        "RowKey": f"u:{spot.day}|{_model_key(spot.model)}|{row.id}",
        "caller": spot.caller,
        "day": spot.day,
        "model": spot.model,
        **numbers({column: getattr(row.sums, column) for column in _COLUMNS}),
    }


def _model_key(model: str) -> str:
    """Return what stands for the model in a key, which may have no slash, for example, and has its length."""
    key = partition(model)
    return key if len(key) <= _LONGEST_MODEL else "~" + hashlib.sha256(model.encode()).hexdigest()
