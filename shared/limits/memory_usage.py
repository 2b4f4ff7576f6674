"""The ledger in this process's memory, for development without a storage account: gone with the process."""

from collections.abc import Mapping, Sequence

from shared.limits.usage import Period, Spot, Sums, UsageRow, summed


class MemoryUsage:
    """See `usage_store.UsageStore`."""

    def __init__(self) -> None:
        """Begin without a row."""
        self._rows: dict[tuple[Spot, str], UsageRow] = {}

    async def put(self, caller: str, rows: Sequence[UsageRow]) -> None:  # noqa: ARG002 - each row names it
        """Keep the rows."""
        for row in rows:
            self._rows[row.spot, row.id] = row

    async def sums(self, caller: str | None, period: Period) -> Mapping[Spot, Sums]:
        """Return the sums."""
        return summed(
            row for row in self._rows.values() if caller in (None, row.spot.caller) and period.has(row.spot.day)
        )

    async def close(self) -> None:
        """Do nothing: there is no connection."""
