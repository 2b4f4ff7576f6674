"""Any mixture of answers, crashes and store faults: the limit is never exceeded by more than answers were underestimated."""

import asyncio

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.config.caller_limits import CallerLimits
from shared.limits.account import LEASE_SECONDS, RENEWAL_SECONDS
from shared.limits.meters import Meter, Span, Unit
from tests.limits.processes import CALLER, NOON, Process, World

LIMIT = 1000
MONTH = Meter(Unit.TOKENS, Span.MONTH, LIMIT).window(NOON)
FAULTS = st.lists(st.sampled_from(["", "changed", "refused", "lost"]), max_size=6)


class Limits(RuleBasedStateMachine):
    """Processes with one caller, whose month is one window: whatever happens is in the same books."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.world = World(CallerLimits(tokens_per_month=LIMIT))
        self.spent = 0
        self.underestimated = 0
        for _ in range(3):
            self.world.start()

    def process(self, number: int) -> Process:
        return self.world.processes[number % len(self.world.processes)]

    @rule(number=st.integers(0, 2), tokens=st.integers(1, 400), faults=FAULTS)
    def ask(self, number: int, tokens: int, faults: list[str]) -> None:
        process = self.process(number)
        process.store.faults = faults
        process.limiter.ask_again()
        self.loop.run_until_complete(process.ask(tokens))
        process.store.faults = []

    @rule(number=st.integers(0, 2), index=st.integers(0, 9), tokens=st.integers(0, 500))
    def end(self, number: int, index: int, tokens: int) -> None:
        async def ended(process: Process) -> None:
            if process.under_way:
                reserved = process.end(index, tokens)
                self.spent += tokens
                self.underestimated += max(0, tokens - reserved)

        self.loop.run_until_complete(ended(self.process(number)))

    @rule(number=st.integers(0, 2), faults=FAULTS)
    def tend(self, number: int, faults: list[str]) -> None:
        self.process(number).store.faults = faults
        self.loop.run_until_complete(self.process(number).limiter.tend())
        self.process(number).store.faults = []

    @rule(seconds=st.sampled_from([1, 6, RENEWAL_SECONDS - 1]))
    def wait(self, seconds: float) -> None:
        """Every process looks after its leases in time."""
        self.world.time.now += seconds
        for process in self.world.processes:
            self.loop.run_until_complete(process.limiter.tend())

    @precondition(lambda self: self.world.started < 6)
    @rule(number=st.integers(0, 2))
    def crash(self, number: int) -> None:
        """What it has not reported is lost with it, and so is not counted here."""
        crashed = self.world.processes.pop(number % len(self.world.processes))
        self.spent -= crashed.limiter.unreported
        self.world.start()

    @invariant()
    def what_was_spent_and_promised_stays_within_the_limit(self) -> None:
        promised = sum(reserved for process in self.world.processes for _, reserved in process.under_way)
        assert self.spent + promised <= LIMIT + self.underestimated

    @invariant()
    def the_window_knows_what_its_leases_hold(self) -> None:
        async def books() -> tuple[int, int]:
            parent = (await self.world.store.read(CALLER, MONTH.key, "nobody")).parent
            leases = await self.world.store.leases(CALLER, MONTH.key)
            return parent.granted, sum(one.lease.held + one.lease.spent for one in leases)

        granted, held = self.loop.run_until_complete(books())
        assert granted == held

    def teardown(self) -> None:
        """When all have ended and every lease has expired, all that was not spent is there again."""

        async def ended(process: Process) -> None:
            while process.under_way:
                process.end(0, 0)

        for process in self.world.processes:
            self.loop.run_until_complete(ended(process))
        self.world.time.now += LEASE_SECONDS + 1
        for process in self.world.processes:
            self.loop.run_until_complete(process.limiter.tend())
        try:
            left = max(0, LIMIT - self.spent)
            last = self.world.start()
            assert not self.loop.run_until_complete(last.ask(left + 1))
            assert left == 0 or self.loop.run_until_complete(last.ask(left))
        finally:
            pending = asyncio.all_tasks(self.loop)
            for task in pending:
                task.cancel()
            self.loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            self.loop.close()


TestLimits = Limits.TestCase
TestLimits.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
