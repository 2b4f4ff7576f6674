"""Admits answers within their caller's limits: reserve before the model is asked, settle once it has answered.

While a lease lasts, no request waits for the store. One that must wait does so for at most `STORE_SECONDS`.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.config.caller_limits import CallerLimits, LimitsPolicy
from shared.demand import Demand
from shared.limits.account import Account
from shared.limits.clock import StoreClock
from shared.limits.estimate import Outputs, estimate
from shared.limits.meters import Meter, Span, Unit, Window
from shared.limits.patience import Patience
from shared.limits.refusals import exceeded, seconds_left, unavailable, unknown
from shared.limits.store import Contended, LeaseStore, StoreError
from shared.limits.ticket import Promise, Ticket

_log = logging.getLogger(__name__)

STORE_SECONDS = 1.0
"""How long a request waits for the store at most, for all its limits together."""
EXCHANGE_SECONDS = 3.0
"""How long the store may take for a lease, which nobody may be waiting for any more."""
FAILURE_SECONDS = 2.0
"""How long after a failure no request waits for the store."""
TEND_SECONDS = 1.0
"""How often leases are looked after."""
TENDED_AT_ONCE = 16
CLOSE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit of a caller now. `left`: None where the store cannot be asked."""

    window: Window
    left: int | None


class Limiter:
    """The limits of every caller, as far as this process knows. Call `close` at its end."""

    def __init__(
        self, policy: LimitsPolicy, store: LeaseStore, *, clock: StoreClock | None = None, owner: str = ""
    ) -> None:
        """Hold nothing, and ask the store nothing."""
        self.outputs = Outputs()
        self._policy = policy
        self._store = store
        self._clock = clock or StoreClock()
        self._owner = owner or secrets.token_hex(8)
        self._accounts: dict[tuple[str, Meter], Account] = {}
        self._past: set[Account] = set()
        """Accounts of windows that are over, with answers under way."""
        self._failing_until = float("-inf")
        self._crowded_until = float("-inf")
        self._contended: dict[Account, float] = {}
        """Until when no request waits for an account that too many processes want at once."""
        self._tending: asyncio.Task[None] | None = None
        self._exchanges: set[asyncio.Task[StoreError | None]] = set()

    async def admit(self, caller: str, model: str, demand: Demand) -> Ticket:
        """Return the right to ask the model. Raise `CallerLimitExceeded` or `LimitsUnavailable`."""
        limits = self._policy.of(caller)
        meters = meters_of(limits)
        if not meters:
            return Ticket(caller, model, {}, self)
        tokens = estimate(demand, self.outputs.usual(caller, model))
        needed = [(self._account(caller, one), tokens if one.unit is Unit.TOKENS else 1) for one in meters]
        promises: list[Promise] = []
        try:
            short = [one for one in needed if one[0].is_short_of(one[1])]
            failures = await self._reserve_leased(short, promises) if short else {}
            for account, amount in needed:
                if (account, amount) not in short or account in failures:
                    promises.append(self._reserve(account, amount, failures.get(account)))
        except BaseException:
            for promise in promises:
                promise.account.settle(promise.amount, 0)
            raise
        self._tend()
        prompt = estimate(replace(demand, has_output=False), 0)
        return Ticket(caller, model, self._headers(caller, meters), self, promises, prompt, tokens, demand.outlives)

    def settle(self, promises: Iterable[Promise], tokens: int) -> None:
        """Settle every promise of a ticket; see `Ticket.settle`."""
        used = {Unit.TOKENS: tokens, Unit.REQUESTS: 1, Unit.STREAMS: 0}
        for promise in promises:
            promise.account.settle(promise.amount, used[promise.account.window.meter.unit])
        self._tend()

    async def standings(self, caller: str) -> Sequence[Standing]:
        """Return what is left of each limit of a caller, over all processes."""
        return [await self._standing(caller, meter) for meter in meters_of(self._policy.of(caller))]

    async def _standing(self, caller: str, meter: Meter) -> Standing:
        account = self._accounts.get((caller, meter))
        if account is None or not account.is_current:
            account = Account(caller, meter.window(self._clock()), self._owner, self._store, self._clock)
        try:
            async with Patience(STORE_SECONDS):
                left: int | None = await account.look()
        except (StoreError, TimeoutError):
            left = None
        return Standing(account.window, left)

    @property
    def unreported(self) -> int:
        """How much was spent that the store does not know of yet."""
        return sum(account.unreported for account in (*self._accounts.values(), *self._past))

    def ask_again(self) -> None:
        """Ask the store at the next request, although it has just failed."""
        self._failing_until = float("-inf")

    async def load(self) -> None:
        """Import what is slow to import, so that no request waits for it. Raise nothing."""
        with suppress(StoreError):  # the first request tells
            await self._store.load()

    async def close(self) -> None:
        """Give back what is held, and report what was spent, as far as the store takes it in time."""
        for task in (self._tending, *self._exchanges):
            if task is not None:
                task.cancel()
        accounts = [account for account in self._accounts.values() if not account.is_over]
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await asyncio.gather(*map(self._give_back, accounts), return_exceptions=True)
        if left := [account for account in accounts if not account.is_settled]:
            _log.warning(
                "%d limits could not be given back; they are free again when their lease ends. Used, and not counted: %s",
                len(left),
                {f"{one.caller} {one.window.key}": one.unreported for one in left if one.unreported},
            )
        await self._store.close()

    async def _reserve_leased(
        self, short: Sequence[tuple[Account, int]], promises: list[Promise]
    ) -> Mapping[Account, Exception | None]:
        """Lease each amount, and reserve it in the moment that it is leased. Return the others, and why that failed.

        None: the store has been asked, and there is too little.
        """
        failures: dict[Account, Exception | None] = {}

        async def reserve_one(account: Account, amount: int) -> None:
            failure = await self._lease(account, amount)
            if failure is None and account.free >= amount:
                promises.append(self._reserve(account, amount, None))
            else:
                failures[account] = failure

        await asyncio.gather(*(reserve_one(*one) for one in short))
        return failures

    def _reserve(self, account: Account, amount: int, failure: Exception | None) -> Promise:
        """Reserve what is leased, or do what is to be done where it is not. `failure`: of asking the store."""
        if account.free < amount:
            return self._refuse(account, amount) if failure is None else self._reserve_alone(account, amount, failure)
        account.reserve(amount)
        if account.wants_refill and _now() >= self._failing_until:
            self._exchange(account, account.free + 1)
        return Promise(account, amount)

    async def _lease(self, account: Account, amount: int) -> Exception | None:
        """Wait until the amount is leased, or known not to be there. Return why that is not known."""
        if _now() < max(self._failing_until, self._contended.get(account, self._failing_until)):
            return StoreError("it failed a moment ago")
        patience, left = Patience(STORE_SECONDS), 0.0
        account.wanted += amount
        try:
            while account.is_short_of(amount):
                left = patience.left
                async with patience:
                    failure = await asyncio.shield(self._exchange(account, amount))
                if failure is not None:
                    return failure
        except TimeoutError as error:
            if left > STORE_SECONDS / 2 and not account.is_crowded:
                self._failed(error)
            else:  # the store is well
                self._crowded(account, "too many want it at once")
            return error
        finally:
            account.wanted -= amount
        return None

    def _exchange(self, account: Account, amount: int) -> asyncio.Task[StoreError | None]:
        """Return the exchange with the store that is under way for an account; begin one where there is none.

        It goes on when nobody waits for it any more: whoever comes next has what it brings.
        """
        task = account.exchange
        if task is None or task.done():
            account.exchange = task = asyncio.create_task(self._exchanged(account, amount))
            self._exchanges.add(task)
            task.add_done_callback(self._exchanges.discard)
        return task

    async def _exchanged(self, account: Account, amount: int) -> StoreError | None:
        """Lease at least the amount. Return why that failed; None where the store was asked."""
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS), account.lock:
                await account.lease(amount)
        except Contended as error:
            self._crowded(account, str(error))
            self._contended[account] = _now() + FAILURE_SECONDS
            return error
        except (StoreError, TimeoutError) as error:
            self._failed(error)
            return error if isinstance(error, StoreError) else StoreError("it did not answer")
        self.ask_again()
        return None

    def _crowded(self, account: Account, why: str) -> None:
        """Log that an account could not be asked for in time, once in a while: it is no other caller's trouble."""
        if _now() >= self._crowded_until:
            _log.warning(
                "A limit of %s cannot be looked up (%s): %s", account.caller, self._policy.when_store_fails, why
            )
            self._crowded_until = _now() + FAILURE_SECONDS

    def _failed(self, error: Exception) -> None:
        if _now() >= self._failing_until:
            what = str(error) or f"no answer within {STORE_SECONDS:g} s"
            _log.error("Callers' limits cannot be looked up (%s): %s", self._policy.when_store_fails, what)
        self._failing_until = _now() + FAILURE_SECONDS

    def _reserve_alone(self, account: Account, amount: int, error: Exception) -> Promise:
        """Do what LIMITS_WHEN_STORE_FAILS says."""
        if self._policy.is_shadow:
            account.reserve(amount)
            return Promise(account, amount)
        if self._policy.when_store_fails == "closed":
            raise unavailable() from error
        if not account.reserve_alone(amount, self._policy.instances):
            raise unknown(account, amount, account.share(self._policy.instances)) from error
        return Promise(account, amount)

    def _refuse(self, account: Account, amount: int) -> Promise:
        meter = account.window.meter
        if self._policy.is_shadow:
            _log.info(
                "Would have been refused: caller %s, %s per %s", account.caller, meter.unit.value, meter.span.value
            )
            account.reserve(amount)
            return Promise(account, amount)
        raise exceeded(account, amount, self._clock())

    def _account(self, caller: str, meter: Meter) -> Account:
        """Return the account of the current window."""
        account = self._accounts.get((caller, meter))
        if account is not None and not account.is_current:
            self._past.add(account)
            account = None
        if account is None:
            account = Account(caller, meter.window(self._clock()), self._owner, self._store, self._clock)
            self._accounts[caller, meter] = account
        return account

    def _headers(self, caller: str, meters: Sequence[Meter]) -> Mapping[str, str]:
        """Return the caller's own limits: of tokens and of requests, the shortest window of each that it has."""
        told: dict[str, str] = {}
        for meter in meters:
            unit = meter.unit.value
            if meter.span is Span.NOW or f"x-ratelimit-limit-{unit}" in told:
                continue
            account = self._accounts[caller, meter]
            told |= {
                f"x-ratelimit-limit-{unit}": str(meter.maximum),
                f"x-ratelimit-remaining-{unit}": str(account.left),
                f"x-ratelimit-reset-{unit}": f"{seconds_left(account, self._clock()):.0f}s",
            }
        return told

    def _tend(self) -> None:
        if self._tending is None or self._tending.done():
            self._tending = asyncio.create_task(self._tend_until_idle())

    async def _tend_until_idle(self) -> None:
        """Look after the leases until nothing is left to do: an idle process has no timer."""
        while self._accounts or self._past:
            await asyncio.sleep(TEND_SECONDS)
            await self.tend()

    async def tend(self) -> None:
        """Renew, give back or forget each lease, as its time has come."""
        turnstile = asyncio.Semaphore(TENDED_AT_ONCE)
        began = _now()
        self._contended = {account: until for account, until in self._contended.items() if until > began}

        async def tend_one(account: Account) -> None:
            async with turnstile:
                has_failed = self._failing_until >= began + FAILURE_SECONDS
                if not has_failed and not account.lock.locked():
                    await self._tend_one(account)

        await asyncio.gather(*map(tend_one, (*self._past, *self._accounts.values())))

    async def _tend_one(self, account: Account) -> None:
        try:
            async with Patience(STORE_SECONDS):
                await self._look_after(account)
        except Contended:
            pass  # the next round tries again
        except (StoreError, TimeoutError) as error:
            self._failed(error)
        except Exception:  # noqa: BLE001 - logged, and the other leases are looked after
            _log.exception("A limit could not be looked after")

    async def _look_after(self, account: Account) -> None:
        async with account.lock:
            if account.is_over:
                if account.reserved == 0:
                    self._drop(account)
                    await account.forget()
            elif account.is_idle:
                await account.give_back()
                if account.reserved == 0 and account.is_settled:
                    self._drop(account)
            elif account.wants_renewal:
                await account.renew()

    def _drop(self, account: Account) -> None:
        self._past.discard(account)
        self._contended.pop(account, None)
        key = (account.caller, account.window.meter)
        if self._accounts.get(key) is account:
            del self._accounts[key]

    async def _give_back(self, account: Account) -> None:
        async with account.lock:
            await account.give_back()


def meters_of(limits: CallerLimits) -> Sequence[Meter]:
    """Return the meters of a caller, what frees itself first before the others."""
    given = (
        (Unit.STREAMS, Span.NOW, limits.streams),
        (Unit.REQUESTS, Span.MINUTE, limits.requests_per_minute),
        (Unit.TOKENS, Span.MINUTE, limits.tokens_per_minute),
        (Unit.TOKENS, Span.DAY, limits.tokens_per_day),
        (Unit.TOKENS, Span.MONTH, limits.tokens_per_month),
    )
    return [Meter(unit, span, maximum) for unit, span, maximum in given if maximum is not None]


def _now() -> float:
    return asyncio.get_running_loop().time()
