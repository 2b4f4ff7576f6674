"""One meter of one caller in this process: what it holds of the shared limit, and what it has promised of that.

reserve ──▶ reserved ──▶ settle: spent            a lease is taken for more than one answer, renewed while answers are
                     └─▶ settle(0): free again    under way, and given back when nobody has asked for a while
"""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace

from shared.limits.clock import StoreClock
from shared.limits.lease import Lease, Need, exchanged, reclaimed, usual_block
from shared.limits.meters import Unit, Window
from shared.limits.store import Changed, Contended, LeaseStore, Rows, StoreError

_log = logging.getLogger(__name__)

LEASE_SECONDS = 45.0
"""How long a lease lasts: within so many seconds what a crashed process held is everybody's again."""
RENEWAL_SECONDS = 15.0
IDLE_SECONDS = 5.0
"""How long a lease is kept that nobody uses."""
IDLE_STREAM_SECONDS = 1.0
"""The same of streams, whose limits are small: what one process keeps, the caller's next stream may need in another."""
LOOK_AGAIN_SECONDS = 1.0
"""How long the store is believed that there is too little: so often at most a flood of refused requests asks it."""
TRIES = 8
"""How often an exchange is begun anew because somebody else was faster."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.02, 0.1
"""At most so long before the second try, and twice as long before each further one, up to the second number."""
_CLOCK_SECONDS = 2.0
"""How exact the store's clock is known."""
REFILL_PART = 4
"""A lease is filled up once less than this part of it is free."""


class Account:
    """The methods that wait are called by one task at a time: whoever holds `lock`."""

    def __init__(self, caller: str, window: Window, owner: str, store: LeaseStore, clock: StoreClock) -> None:
        """Hold nothing."""
        self.caller = caller
        self.window = window
        self.lock = asyncio.Lock()
        self.exchange: asyncio.Task[StoreError | None] | None = None
        """What asks the store for a lease, for all who wait for one."""
        self.reserved = 0
        self.wanted = 0
        """What the requests want together that wait for a lease."""
        self.is_crowded = False
        """Whether others were faster in the exchange under way, or in the last one."""
        self.last_used = clock()
        self._owner = owner
        self._store = store
        self._clock = clock
        self._lease = Lease()
        self._spent = 0
        """In all, by this process, what an account before this one had reported in the window included."""
        self._has_read = False
        self._left = window.meter.maximum
        """What nobody held at the last exchange."""
        self._asked_at = float("-inf")
        """When the last lease was asked for, on the store's clock."""
        self._block = 0

    @property
    def free(self) -> int:
        """How much can be reserved without asking the store."""
        return self._lease.held - self.reserved if self._clock() < self._lease.expires_at else 0

    @property
    def left(self) -> int:
        """How much of the limit is left, as far as this process knows."""
        return max(0, self._left + max(0, self._lease.held - self.reserved))

    @property
    def is_over(self) -> bool:
        """Whether the window is over."""
        return self.window.ends_at is not None and self._clock() >= self.window.ends_at

    @property
    def is_current(self) -> bool:
        """Whether it is the window of this moment; the clock may have been wrong when it was made."""
        return not self.is_over and self._clock() >= self.window.starts_at - _CLOCK_SECONDS

    def is_short_of(self, amount: int) -> bool:
        """Return whether the store is to be asked before so much can be reserved, or refused: it has not just been."""
        if self.free >= amount:
            return False
        return amount <= self.left or self._clock() >= self._asked_at + LOOK_AGAIN_SECONDS

    @property
    def wants_refill(self) -> bool:
        """Whether the free part of the lease is about to be used up, and there is more."""
        return self._left > 0 and self.free * REFILL_PART < self._block

    @property
    def wants_renewal(self) -> bool:
        """Whether the lease is about to expire."""
        return self._lease.held > 0 and self._clock() > self._lease.expires_at - LEASE_SECONDS + RENEWAL_SECONDS

    @property
    def unreported(self) -> int:
        """What was spent that the store does not know of yet: lost if the process dies now."""
        return self._spent - self._lease.spent

    @property
    def is_settled(self) -> bool:
        """Whether the store knows all that was spent, and nothing is held."""
        return self._lease.held == 0 and self.unreported == 0

    @property
    def is_idle(self) -> bool:
        """Whether something is held, or not yet reported, that nobody has asked for in a while."""
        has_news = self._lease.held > self.reserved or self.unreported > 0
        seconds = IDLE_STREAM_SECONDS if self.window.meter.unit is Unit.STREAMS else IDLE_SECONDS
        return has_news and self._clock() > self.last_used + seconds

    def reserve(self, amount: int) -> None:
        """Promise what is `free`."""
        self.reserved += amount
        self.last_used = self._clock()

    def share(self, processes: int) -> int:
        """Return how much of the limit is one of so many processes' own: of a limit of a few streams one, rather than none."""
        maximum = self.window.meter.maximum
        return min(maximum, max(1, maximum // processes))

    def reserve_alone(self, amount: int, processes: int) -> bool:
        """Promise without the store, within one process's share in this window. Return whether it was promised.

        The next exchange tells the store, whatever the limit says by then.
        """
        if self.reserved + self._spent + amount > self.share(processes):
            return False
        self.reserve(amount)
        return True

    def settle(self, reserved: int, spent: int) -> None:
        """Turn a promise into what was really used, which may be more. Rule 2 of `lease` has what happens then."""
        self.reserved -= reserved
        self._spent += spent
        self._lease = replace(self._lease, held=max(self.reserved, self._lease.held - spent))
        self.last_used = self._clock()

    async def lease(self, amount: int) -> None:
        """Hold enough to reserve the amount, and more for those who come next, as far as there is any. Raise `StoreError`."""
        maximum = self.window.meter.maximum
        self._block = usual_block(maximum, self._left + self._lease.held, amount, self.wanted)
        await self._exchange(self._block, least=amount)
        if self.free < amount and await self._reclaim():
            await self._exchange(self._block, least=amount)
        self._asked_at = self._clock()

    async def look(self) -> int:
        """Return how much of the limit is left now: what others hold counts as taken. Write nothing. Raise `StoreError`."""
        try:
            rows = await self._store.read(self.caller, self.window.key, self._owner)
        except Changed:  # nobody has written anything yet
            return self.window.meter.maximum
        of_others = rows.parent.granted - rows.lease.held - rows.lease.spent
        own = self.reserved + self._spent + (0 if self._has_read else rows.lease.spent)
        return max(0, self.window.meter.maximum - of_others - own)

    async def renew(self) -> None:
        """Keep what is held. Raise `StoreError`."""
        await self._exchange(0)

    async def give_back(self) -> None:
        """Keep only what is reserved, and report what was spent. Raise `StoreError`."""
        self._lease = replace(self._lease, held=min(self._lease.held, self.reserved))  # nobody reserves it meanwhile
        await self._exchange(0)

    async def forget(self) -> None:
        """Remove the rows of a window that is over. Raise `StoreError`."""
        await self._store.remove(self.caller, self.window.key, self._owner)

    async def _exchange(self, more: int, *, least: int = 0) -> None:
        """Tell the store, and hold `more` besides what is reserved, or as much as now."""
        maximum = self.window.meter.maximum

        def decided(rows: Rows) -> Rows:
            self._clock.learn(rows.now)
            if not self._has_read:
                self._has_read = True
                self._spent += rows.lease.spent
                self._lease = replace(self._lease, spent=rows.lease.spent)
            kept = max(0, self._lease.held - self.reserved)
            need = Need(self.reserved, self._spent, max(more, kept), least, kept)
            expires_at = rows.now + LEASE_SECONDS
            parent, lease = exchanged(rows.parent, rows.lease, need, maximum=maximum, expires_at=expires_at)
            return replace(rows, parent=parent, lease=lease)

        written = await self._repeated(self._owner, decided)
        # What was settled while this waited is not in the row yet; the next exchange has it.
        late = self._spent - written.lease.spent
        self._lease = replace(written.lease, held=max(self.reserved, written.lease.held - late))
        self._left = max(0, maximum - written.parent.granted)

    async def _reclaim(self) -> bool:
        """Give what expired leases hold back to all. Return whether there was any. Raise `StoreError`."""
        found = False
        for other in await self._store.leases(self.caller, self.window.key):
            if other.owner == self._owner or not other.lease.held:
                continue

            def decided(rows: Rows) -> Rows | None:
                if rows.lease.expires_at > rows.now or not rows.lease.held:
                    return None
                parent, lease = reclaimed(rows.parent, rows.lease)
                return replace(rows, parent=parent, lease=lease)

            if other.lease.expires_at <= self._clock() and await self._written(other.owner, decided):
                _log.info("What an ended process held of a limit of %s is given back", self.window.key)
                found = True
        return found

    async def _repeated(self, owner: str, decided: Callable[[Rows], Rows]) -> Rows:
        written = await self._written(owner, decided)
        assert written is not None
        return written

    async def _written(self, owner: str, decided: Callable[[Rows], Rows | None]) -> Rows | None:
        """Read, decide and write, anew while somebody else was faster. Raise `StoreError`, or `Contended` in the end."""
        self.is_crowded = False
        for number in range(TRIES):
            try:
                rows = await self._store.read(self.caller, self.window.key, owner)
                wanted = decided(rows)
                if wanted is None:
                    return None
                await self._store.write(self.caller, self.window.key, owner, wanted)
            except Changed:
                self.is_crowded = True
                longest = min(_FIRST_PAUSE_SECONDS * 2**number, _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(random.uniform(0, longest))  # noqa: S311 - against colliding again
            else:
                return wanted
        raise Contended("too many processes write the same row at once")
