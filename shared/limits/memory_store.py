"""Leases in this process's memory, for development without a storage account: nothing is shared with another process."""

import time
from collections.abc import Callable, Sequence

from shared.limits.lease import Lease, Parent
from shared.limits.store import Changed, OthersLease, Rows


class MemoryStore:
    """See `store.LeaseStore`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Begin without a row. `clock`: seconds since 1970."""
        self._clock = clock
        self._parents: dict[tuple[str, str], tuple[Parent, int]] = {}
        self._leases: dict[tuple[str, str], dict[str, tuple[Lease, int]]] = {}
        self._writes = 0

    async def read(self, caller: str, window: str, owner: str) -> Rows:
        """Return both rows."""
        parent, parent_tag = self._parents.get((caller, window), (Parent(), 0))
        lease, lease_tag = self._leases.get((caller, window), {}).get(owner, (Lease(), 0))
        return Rows(parent, lease, (_tag(parent_tag), _tag(lease_tag)), self._clock())

    async def write(self, caller: str, window: str, owner: str, rows: Rows) -> None:
        """Write both rows, or raise `Changed`."""
        found = await self.read(caller, window, owner)
        if found.tags != rows.tags:
            raise Changed
        self._writes += 1
        self._parents[caller, window] = rows.parent, self._writes
        self._leases.setdefault((caller, window), {})[owner] = rows.lease, self._writes

    async def leases(self, caller: str, window: str) -> Sequence[OthersLease]:
        """Return every lease of a window."""
        return [OthersLease(owner, lease) for owner, (lease, _) in self._leases.get((caller, window), {}).items()]

    async def remove(self, caller: str, window: str, owner: str) -> None:
        """Remove a lease, and the window."""
        self._leases.get((caller, window), {}).pop(owner, None)
        self._parents.pop((caller, window), None)

    async def load(self) -> None:
        """Do nothing: nothing is imported."""

    async def close(self) -> None:
        """Do nothing: there is no connection."""


def _tag(number: int) -> str:
    return str(number) if number else ""
