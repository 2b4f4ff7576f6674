"""Where leases are kept: two rows of one partition, written together or not at all. The interface, and its failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.limits.lease import Lease, Parent


class StoreError(Exception):
    """The store cannot be asked, or its answer did not arrive: a write may have been applied. For the log, without secrets."""


class Contended(StoreError):
    """Others were faster each time. Nothing was written, and nothing is wrong with the store."""


class Changed(Exception):
    """Somebody else has written one of the rows since they were read, or there was no table yet: nothing was written."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Both rows as they were read. `tags`: what makes a write depend on that; '' for a row that does not exist."""

    parent: Parent
    lease: Lease
    tags: tuple[str, str]
    now: float
    """The store's own clock: seconds since 1970."""


@dataclass(frozen=True, slots=True)
class OthersLease:
    """Another process's lease. `owner`: the process that it belongs to."""

    owner: str
    lease: Lease


class LeaseStore(Protocol):
    """The rows of every caller: a partition each. `window` is a `Window.key`, `owner` a process."""

    async def read(self, caller: str, window: str, owner: str) -> Rows:
        """Return both rows; of one that does not exist, its beginning. Raise `StoreError`, or `Changed`: ask again."""
        ...

    async def write(self, caller: str, window: str, owner: str, rows: Rows) -> None:
        """Write `rows.parent` and `rows.lease` if nobody has written either since. Raise `Changed` or `StoreError`."""
        ...

    async def leases(self, caller: str, window: str) -> Sequence[OthersLease]:
        """Return every lease of a window. Raise `StoreError`."""
        ...

    async def remove(self, caller: str, window: str, owner: str) -> None:
        """Remove a lease of a window that is over, and the window's own row. Raise `StoreError`."""
        ...

    async def load(self) -> None:
        """Import what is slow to import. Raise `StoreError`."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
