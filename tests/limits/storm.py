"""`make storm-limits`: callers who all ask at once, of several processes of the app over one table.

Every process is the app on the real worker, the table is Azure's emulator, and the simulated model counts each token. With a
cap on the output no caller may have used more than its limit in a minute, in any run, and the table must say what the model
says. Without a cap it may have used as much more as its answers were underestimated by.
"""

import argparse
import asyncio
import hashlib
import json
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from dev.simulator.answer import CHARACTERS_PER_TOKEN
from dev.simulator.call import all_text
from dev.simulator.control import Simulator
from shared.demand import Demand
from shared.limits.estimate import USUAL_OUTPUT_TOKENS, estimate
from shared.limits.meters import Meter, Span, Unit
from tests.app_process import App
from tests.limits.stores import opened_store
from tests.node.toolchain import MISSING, find_node
from tests.state.azurite import Account, azurite

MINUTE = 60
CLOCK_SECONDS = 2.0
"""How exact the table's clock is known, which decides which minute it is."""
REPORTED_SECONDS = 12.0
"""Until every process has reported what its answers used: it does so 5 s after the last of them."""
UNAVAILABLE = "503 limits_unavailable"
TRIES_OF_RUN = 3
MOST_TRIES = 6
"""Where the table did not answer within a second: processes and emulator share the cores of one machine."""
PATIENT = {
    "COMMIT_SECONDS": "60",
    "FIRST_CONTENT_SECONDS": "60",
    "ATTEMPT_BUDGET_SECONDS": "60",
    "UPSTREAM_SILENCE_SECONDS": "60",
}
"""A busy machine is no failure of the model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many ask how much. `cap`: of an answer's output; None for none. `seconds`: that a run needs of its minute."""

    callers: int = 5
    streams: int = 200
    limit: int = 10_000
    processes: int = 4
    cap: int | None = 80
    longest: int = 120
    """Tokens of the longest answer that the model would give."""
    seconds: float = 35.0


@dataclass(slots=True)
class Run:
    """What came of one run. `used`: tokens of each caller, as the model counted them."""

    used: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    underestimated: Counter[str] = field(default_factory=Counter)
    """By how much the answers of a caller took more than was reserved for them, where that is known."""
    reported: dict[str, int] = field(default_factory=dict)
    """What the table says; empty where there is none."""
    seconds: float = 0.0
    fits: bool = True
    """It was reported within its minute: what is asked for later has another limit."""

    def line(self, size: Size) -> str:
        """Return what to print."""
        used = [self.used[caller] for caller in sorted(self.used)]
        over = max((one - size.limit for one in used), default=0)
        said = f"used {min(used, default=0)} to {max(used, default=0)} of {size.limit} by {len(used)} callers"
        overshoot = f"{over} too many" if over > 0 else "none too many"
        fits = "" if self.fits else ", longer than its minute: not counted"
        return f"{said}, {overshoot}; {dict(self.outcomes)}; {self.seconds:.1f} s{fits}"


type Asks = Callable[[int, str], tuple[str, str]]
"""From the number of a request and its caller, where it is asked, and with which key."""


def key_of(caller: str) -> str:
    """Return a caller's key."""
    return f"sk-the-key-of-{caller}-0123456789"


def prompt_of(caller: str, tokens: int, *, waits: float) -> str:
    """Return a prompt that says whose it is, and what the model is to do."""
    behaviour = {"tokens": tokens, "interval": 0.005, "start_delay": waits}
    return f"for {caller} [[sim {json.dumps(behaviour)}]]"


async def ask_all(size: Size, callers: Sequence[str], asks: Asks, *, seed: int, waits: float) -> Counter[str]:
    """Ask everything at once. Return how often each thing came of it."""
    dice, outcomes = random.Random(seed), Counter[str]()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(MINUTE)) as session:

        async def one(number: int, caller: str, tokens: int) -> None:
            url, key = asks(number, caller)
            said = prompt_of(caller, tokens, waits=waits)
            body = {"model": "gpt", "stream": True, "messages": [{"role": "user", "content": said}]}
            if size.cap is not None:
                body["max_completion_tokens"] = size.cap
            headers = {"authorization": f"Bearer {key}"}
            outcome = UNAVAILABLE
            for _ in range(MOST_TRIES):
                try:
                    async with session.post(f"{url}/v1/chat/completions", json=body, headers=headers) as response:
                        outcome = _outcome(response.status, await response.read())
                except (aiohttp.ClientError, TimeoutError) as error:
                    outcome = type(error).__name__
                if outcome != UNAVAILABLE:
                    break
                outcomes["put off"] += 1
                await asyncio.sleep(dice.uniform(1, 3))
            outcomes[outcome] += 1

        asked = [caller for caller in callers for _ in range(size.streams)]
        dice.shuffle(asked)
        longest = size.longest
        lengths = [dice.randint(longest // 8, longest) if size.cap is not None else longest for _ in asked]
        await asyncio.gather(*(one(n, caller, lengths[n]) for n, caller in enumerate(asked)))
    return outcomes


def _outcome(status: int, body: bytes) -> str:
    if status == 200:
        return "finished" if b"data: [DONE]" in body else "broken"
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        code = None
    return f"{status} {code}"


def counted(simulator: Simulator, run: Run, *, is_capped: bool) -> None:
    """Take over what the model has counted."""
    for record in simulator.requests(method="POST", path="chat/completions"):
        if record["status"] != 200:
            continue
        body = json.loads(record["body"])
        text = body["messages"][-1]["content"]
        caller = text.removeprefix("for ").partition(" ")[0]
        prompt = sum(len(one) // CHARACTERS_PER_TOKEN + 4 for one in all_text(body))
        used = prompt + record["tokens_sent"]
        run.used[caller] += used
        run.answers[caller] += 1
        if not is_capped:  # every one was asked for before any had ended: nothing had been learnt of their length
            sent = {"model": "gpt", "stream": True, "messages": [{"role": "user", "content": text}]}
            reserved = estimate(Demand(len(json.dumps(sent))), USUAL_OUTPUT_TOKENS)
            run.underestimated[caller] += max(0, used - reserved)


def blow(size: Size, simulator: Simulator, asks: Asks, *, number: int, account: Account | None) -> Run:
    """Play one run within a minute, with callers that nobody knows yet."""
    callers = [f"run{number}-caller{one}" for one in range(size.callers)]
    simulator.reset()
    while not CLOCK_SECONDS < time.time() % MINUTE < MINUTE - size.seconds:
        time.sleep(0.1)
    run, began = Run(), time.time()
    minute = Meter(Unit.TOKENS, Span.MINUTE, size.limit).window(began)
    run.outcomes = asyncio.run(
        ask_all(size, callers, asks, seed=number, waits=0.0 if size.cap is not None else size.seconds / 3)
    )
    run.seconds = time.time() - began
    run.fits = minute.ends_at is not None and time.time() + REPORTED_SECONDS < minute.ends_at
    counted(simulator, run, is_capped=size.cap is not None)
    if account is not None and run.fits:
        run.reported = asyncio.run(reported(account, callers, minute.key, run.used))
    return run


async def reported(account: Account, callers: Sequence[str], window: str, used: Counter[str]) -> dict[str, int]:
    """Return what the table says that each caller has spent, once it says what the model does, or after a while."""
    deadline, found = time.monotonic() + REPORTED_SECONDS, dict[str, int]()
    async with opened_store(account) as store:
        while True:
            for caller in callers:
                found[caller] = (await store.read(caller, window, "nobody")).parent.spent
            if found == {caller: used[caller] for caller in callers} or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.3)


def faults(size: Size, run: Run) -> Iterator[str]:
    """Yield what is wrong with a run."""
    if not run.used:
        yield f"nobody was answered: {dict(run.outcomes)}"
    for caller, used in sorted(run.used.items()):
        allowed = size.limit + run.underestimated[caller]
        if used > allowed:
            yield f"{caller} has used {used}, and {allowed} were allowed"
    expected = {"finished", "put off", "429 caller_limit_exceeded", UNAVAILABLE}
    if odd := run.outcomes.keys() - expected:
        yield f"unexpected outcomes: {sorted(odd)}"
    if run.reported and run.reported != {caller: run.used[caller] for caller in run.reported}:
        yield f"the table has {run.reported}, the model {dict(run.used)}"


@contextmanager
def instances(size: Size, simulator: Simulator, account: Account, runs: int) -> Iterator[Asks]:
    """Start as many processes of the app over one table."""
    names = [f"run{number}-caller{one}" for number in range(runs) for one in range(size.callers)]
    keys = ",".join(f"{name}=sha256:{hashlib.sha256(key_of(name).encode()).hexdigest()}" for name in names)
    settings: dict[str, Any] = {
        **PATIENT,
        "AUTH_MODE": "keys",
        "CALLER_KEYS": keys,
        "CALLER_LIMITS": json.dumps({"*": {"tokens_per_minute": size.limit}}),
        "LIMITS_WHEN_STORE_FAILS": "closed",
        "AzureWebJobsStorage": account.connection_string,
        "MAX_OUTPUT_TOKENS": "" if size.cap is None else str(size.cap),
    }
    with ExitStack() as stack:
        apps = [stack.enter_context(App.start(simulator, **settings)) for _ in range(size.processes)]
        yield lambda number, caller: (apps[number % len(apps)].url, key_of(caller))


def storm(size: Size, simulator: Simulator, account: Account, *, runs: int) -> tuple[list[Run], list[str]]:
    """Play so many runs. Return them and what is wrong."""
    played, wrong, most = list[Run](), list[str](), runs * TRIES_OF_RUN
    with instances(size, simulator, account, most) as asks:
        for number in range(most):
            run = blow(size, simulator, asks, number=number, account=account)
            found = list(faults(size, run)) if run.fits else []
            print(f"storm: run {number + 1}: {run.line(size)}", *found, sep="\n  ", flush=True)
            wrong += found
            if run.fits:
                played.append(run)
            if len(played) == runs:
                break
        else:
            wrong.append(f"only {len(played)} of {runs} runs fitted into their minute: the machine is too busy")
    return played, wrong


def main() -> int:
    """Start what is needed, play, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.limits.storm", description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--callers", type=int, default=Size().callers)
    parser.add_argument("--streams", type=int, default=Size().streams, help="of each caller")
    parser.add_argument("--processes", type=int, default=Size().processes)
    arguments = parser.parse_args()
    node = find_node()
    if node is None:
        print(MISSING)
        return 2
    given = {name: getattr(arguments, name) for name in ("callers", "streams", "processes")}
    capped, uncapped = Size(**given), Size(**given, cap=None, longest=USUAL_OUTPUT_TOKENS * 3 // 2, seconds=45.0)
    wrong = list[str]()
    with (
        tempfile.TemporaryDirectory() as folder,
        azurite(node, Path(folder), service="table") as tables,
        Simulator.start() as simulator,
    ):
        print(f"storm: output capped at {capped.cap} tokens", flush=True)
        wrong += storm(capped, simulator, tables.account(), runs=arguments.runs)[1]
        print("storm: without a cap", flush=True)
        runs, found = storm(uncapped, simulator, tables.account(), runs=2)
        wrong += found
        for run in runs:
            over = defaultdict(int, {caller: used - uncapped.limit for caller, used in run.used.items()})
            print(f"storm: over by {dict(over)}, bound {dict(run.underestimated)}")
    print("storm: nothing wrong" if not wrong else f"storm: {len(wrong)} things wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
