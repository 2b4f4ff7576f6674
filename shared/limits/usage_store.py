"""Where the ledger is kept: the interface. Rows are replaced as a whole, so that writing one twice changes nothing."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.limits.usage import Period, Spot, Sums, UsageRow


class UsageStore(Protocol):
    """The rows of every caller."""

    async def put(self, caller: str, rows: Sequence[UsageRow]) -> None:
        """Write rows of one caller, whatever they were. Raise `StoreError`, or `Changed` where it is to be tried again."""
        ...

    async def sums(self, caller: str | None, period: Period) -> Mapping[Spot, Sums]:
        """Return what a caller has used, or every caller where it is None. Raise `StoreError`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
