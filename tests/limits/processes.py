"""Several processes of the app over one store that fails on purpose, in time that a test moves on."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.config.caller_limits import CallerLimits, LimitsPolicy
from shared.demand import Demand
from shared.errors import CallerLimitExceeded, LimitsUnavailable
from shared.events import Usage
from shared.limits.clock import StoreClock
from shared.limits.limiter import Limiter
from shared.limits.memory_store import MemoryStore
from shared.limits.store import Changed, LeaseStore, OthersLease, Rows, StoreError
from shared.limits.ticket import Ticket
from shared.receipt import Spent

CALLER = "alice"
NOON = 1_795_780_800.0
"""2026-11-27 12:00:00 UTC."""


class Time:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


class FaultyStore:
    """A store whose next calls fail as `faults` say: "changed", "refused", "lost" (applied, and the answer is lost)."""

    def __init__(self, store: LeaseStore) -> None:
        self._store = store
        self.faults: list[str] = []
        self.calls = 0

    async def read(self, caller: str, window: str, owner: str) -> Rows:
        if self._next() == "refused":
            raise StoreError("refused")
        return await self._store.read(caller, window, owner)

    async def write(self, caller: str, window: str, owner: str, rows: Rows) -> None:
        fault = self._next()
        if fault == "changed":
            raise Changed
        if fault == "refused":
            raise StoreError("refused")
        await self._store.write(caller, window, owner, rows)
        if fault == "lost":
            raise StoreError("lost")

    async def leases(self, caller: str, window: str) -> Sequence[OthersLease]:
        if self._next() == "refused":
            raise StoreError("refused")
        return await self._store.leases(caller, window)

    async def remove(self, caller: str, window: str, owner: str) -> None:
        await self._store.remove(caller, window, owner)

    async def load(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def _next(self) -> str:
        self.calls += 1
        return self.faults.pop(0) if self.faults else ""


@dataclass(slots=True)
class Process:
    """One process, and the answers under way in it."""

    limiter: Limiter
    store: FaultyStore
    under_way: list[tuple[Ticket, int]] = field(default_factory=list)
    """Each with the tokens reserved for it."""

    async def ask(self, tokens: int) -> bool:
        """Ask for an answer of at most so many tokens. Return whether it was admitted."""
        try:
            ticket = await self.limiter.admit(CALLER, "m", Demand(0, max_output=tokens))
        except (CallerLimitExceeded, LimitsUnavailable):
            return False
        self.under_way.append((ticket, tokens))
        return True

    def end(self, index: int, tokens: int) -> int:
        """End an answer that took so many tokens. Return what was reserved for it."""
        ticket, reserved = self.under_way.pop(index % len(self.under_way))
        ticket.settle(Spent(usage=Usage(0, tokens, 0, 0), is_finished=True))
        return reserved


@dataclass(slots=True)
class World:
    """The processes of an app, and the store that they share."""

    limits: CallerLimits
    when_store_fails: str = "closed"
    time: Time = field(default_factory=Time)
    store: MemoryStore = field(init=False)
    processes: list[Process] = field(default_factory=list)
    started: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryStore(self.time)

    def start(self) -> Process:
        """Start a process."""
        self.started += 1
        faulty = FaultyStore(self.store)
        policy = LimitsPolicy(callers={"*": self.limits}, when_store_fails=self.when_store_fails)
        limiter = Limiter(policy, faulty, clock=StoreClock(self.time), owner=f"p{self.started}")
        process = Process(limiter, faulty)
        self.processes.append(process)
        random.seed(self.started)
        return process
