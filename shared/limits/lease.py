"""The arithmetic of one meter in one window, shared by many processes. Pure.

    parent   granted = what all processes hold or have spent; spent = what they have reported as spent
    lease    one process's part of it: held (leased, not spent), spent (in all), until when it is its own

A process writes both rows in one transaction, always from what it has just read: so a write that was applied although its
answer was lost is found as it is, and the same exchange done twice changes nothing the second time.

Rule 1: granted = the sum over all leases of held + spent, at every moment.
Rule 2: a lease never grows beyond maximum - granted. Only what was already reserved may exceed it: after its lease had expired
        and was given to others, or because an answer used more than was reserved for it.
Rule 3: what an expired lease holds goes back to the parent; what it has spent stays spent.
"""

from dataclasses import dataclass, replace

LARGEST_SHARE = 4
"""A lease is at most this part of the limit, unless one answer needs more."""
USUAL_SHARE = 8
"""A lease is this part of what is left."""


@dataclass(frozen=True, slots=True)
class Parent:
    """What all processes have of one window."""

    granted: int = 0
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """What one process has of it. `expires_at`: seconds since 1970, on the table's clock."""

    held: int = 0
    spent: int = 0
    expires_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Need:
    """What a process has to tell and to ask for.

    `reserved`: promised to answers under way. `spent`: in all since the window began. `more`: to be held besides what is
    reserved, as much of it as there is; where there is less than `least`, none is taken beyond `kept`: it would help nobody.
    """

    reserved: int
    spent: int
    more: int = 0
    least: int = 0
    kept: int = 0


def exchanged(parent: Parent, lease: Lease, need: Need, *, maximum: int, expires_at: float) -> tuple[Parent, Lease]:
    """Return both rows as they are to be written."""
    of_others = parent.granted - lease.held - lease.spent
    free = maximum - of_others - need.spent
    held = min(need.reserved + need.more, free)
    if held < need.reserved + need.least:
        held = min(need.reserved + need.kept, free)
    held = max(need.reserved, held)
    return (
        Parent(of_others + held + need.spent, parent.spent - lease.spent + need.spent),
        Lease(held, need.spent, expires_at),
    )


def reclaimed(parent: Parent, lease: Lease) -> tuple[Parent, Lease]:
    """Return both rows after a lease has expired."""
    return replace(parent, granted=parent.granted - lease.held), replace(lease, held=0)


def usual_block(maximum: int, left: int, needed: int, wanted: int) -> int:
    """Return how much to lease where `needed` is needed now: enough for more, not so much that others get nothing.

    `wanted`: what all who wait for this lease need together.
    """
    return max(needed, min(max(left // USUAL_SHARE, wanted), maximum // LARGEST_SHARE))
