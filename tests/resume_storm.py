"""`make storm RESUME=1`: resumable streams, a fifth of them cut at a random place by their client, the worker or the upstream.

Two apps stand for two instances: one of them is killed (kill -9) again and again, and started anew. Each reader comes back to
either of them until it has everything. Then there must be no word lost and none doubled, no end that looks finished and is not,
no failure, and at the model nothing that runs on past its grace although its reader has given it up.
Everything random comes from one printed seed: `make storm RESUME=1 SEED=…` replays. When a worker dies is real time.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.resuming_reader import FORMATS, Reader

CUT = 0.2
GRACE_SECONDS = 15
"""Longer than any answer, because a reader that comes back elsewhere does not renew it; but for those that are given up."""
ENDLESS = {"tokens": 6000, "interval": 0.1}
GIVEN_UP = 0.002
PATIENCE_SECONDS = 120.0
SETTLE_SECONDS = 20.0
KILLS_PER_STREAM = 1 / 2500
BREAKS: list[dict[str, Any]] = [{"end": "reset"}, {"end": "cut"}, {"end": "eof"}]


@dataclass(frozen=True, slots=True)
class Plan:
    """One stream. `cut_by`: the client, the upstream or nobody; `cut_after`: so many bytes or words. `homes`: whom to ask."""

    number: int
    format: str
    words: tuple[str, ...]
    behaviour: dict[str, Any]
    cut_by: str
    cut_after: int
    homes: tuple[int, ...]


@dataclass(slots=True)
class Tally:
    """What the readers saw."""

    outcomes: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    wrong: list[str] = field(default_factory=list)


def make_plan(number: int, dice: random.Random) -> Plan:
    """Return the plan of one stream: words that occur nowhere else in it, and what becomes of it."""
    words = tuple(f"{number}wörd{index} " for index in range(dice.randint(5, 20)))
    behaviour: dict[str, Any] = {"tokens": words, "interval": dice.choice([0, 0.005, 0.02, 0.05])}
    cut_by, cut_after = "", 0
    if dice.random() < GIVEN_UP:
        cut_by, behaviour = "for good", ENDLESS
    elif dice.random() < CUT:
        cut_by = dice.choice(["client", "upstream"])
        if cut_by == "upstream":
            behaviour |= {**dice.choice(BREAKS), "after": dice.randint(1, len(words) - 1), "end_delay": 0}
        cut_after = dice.randint(1, 4000)
    # What is given up is left at the instance that lives on: one that is killed cancels nothing.
    homes = tuple(1 if cut_by == "for good" else dice.randint(0, 1) for _ in range(64))
    # A background response of /v1 has no grace: to go on without a reader is what it is for.
    formats = FORMATS if cut_by != "for good" else [name for name in FORMATS if name != "responses"]
    return Plan(number, dice.choice(formats), words, behaviour, cut_by, cut_after, homes)


class Storm:
    """Blows through two apps. `apps` are replaced as they die."""

    def __init__(self, simulator: Simulator, apps: list[App]) -> None:
        self._simulator = simulator
        self.apps = apps
        self.tally = Tally()
        self.kills = 0

    async def blow(self, plans: list[Plan], parallel: int) -> None:
        """Read all of them, so many at a time."""
        waiting, kills = iter(plans), max(1, round(len(plans) * KILLS_PER_STREAM))
        kill_at = {round(len(plans) * (one + 0.5) / kills) for one in range(kills)}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
        killing: list[asyncio.Task[None]] = []
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:

            async def worker() -> None:
                for plan in waiting:
                    if plan.number in kill_at:
                        killing.append(asyncio.create_task(asyncio.to_thread(self._kill)))
                    await self._read(session, plan)

            await asyncio.gather(*(worker() for _ in range(parallel)))
            await asyncio.gather(*killing)

    def _kill(self) -> None:
        dead = self.apps[0]
        dead.kill()
        self.kills += 1
        self.apps[0] = start_app(self._simulator)

    async def _read(self, session: aiohttp.ClientSession, plan: Plan) -> None:
        reader, deadline, homes = Reader(plan.format), time.monotonic() + PATIENCE_SECONDS, iter(plan.homes * 1000)
        cuts = 1 if plan.cut_by in ("client", "for good") else 0
        prompt = f"storm {plan.number} [[sim {json.dumps(plan.behaviour)}]]"
        while not reader.has_finished and not reader.failure:
            if time.monotonic() > deadline:
                self._judge(plan, reader, "never ended")
                return
            url = self.apps[next(homes)].url
            path, body = (reader.again(), None) if reader.id else reader.request(prompt)
            try:
                async with session.request("GET" if reader.id else "POST", url + path, json=body) as response:
                    self.tally.connections += 1
                    if response.status == 204:
                        reader.has_finished = True
                    elif response.status == 200:
                        cuts -= await self._receive(response, reader, plan.cut_after if cuts else None)
                    elif response.status < 500:
                        reader.failure = f"{response.status} {(await response.text())[:300]}"
            except aiohttp.ClientError:
                pass
            if plan.cut_by == "for good" and reader.id and not cuts:
                self.tally.outcomes["given up"] += 1
                return
            if not reader.has_finished:
                await asyncio.sleep(0.05)
        self._judge(plan, reader, reader.failure)

    async def _receive(self, response: aiohttp.ClientResponse, reader: Reader, cut_after: int | None) -> int:
        """Read to the end, or leave after so many bytes; return whether it was left."""
        reader.connected(response.headers.get("x-answer-id", ""))
        received = 0
        async for data in response.content.iter_any():
            reader.feed(data)
            received += len(data)
            if cut_after is not None and received >= cut_after and reader.id and not reader.has_finished:
                response.close()
                return 1
        if not reader.has_moved:
            reader.ended_cleanly()
            if not reader.has_finished and not reader.failure:
                reader.failure = "dishonest: a clean end of half an answer"
        return 0

    def _judge(self, plan: Plan, reader: Reader, failure: str) -> None:
        expected, text = Counter(plan.words), Counter(f"{word} " for word in reader.text.split())
        lost, doubled = expected - text, text - expected
        outcome = "failed" if failure else "lost" if lost else "doubled" if doubled else "whole"
        if outcome == "whole" and reader.text != "".join(plan.words):
            outcome = "in another order"
        self.tally.outcomes[f"{outcome}, cut by the {plan.cut_by}" if plan.cut_by else outcome] += 1
        if outcome != "whole":
            self.tally.wrong.append(
                f"stream {plan.number} ({plan.format}, cut by {plan.cut_by or 'nobody'} after {plan.cut_after}): {outcome} "
                f"{failure} lost {lost.total()} doubled {doubled.total()}: {plan.behaviour}"
            )


def start_app(simulator: Simulator) -> App:
    """Start one instance."""
    settings = {"RESUME": "on", "AZURE_OPENAI_API": "responses", "RESUME_GRACE_SECONDS": str(GRACE_SECONDS)}
    # A busy machine: what waits must not be taken for what is silent.
    patience = {
        "FIRST_CONTENT_SECONDS": "60",
        "UPSTREAM_SILENCE_SECONDS": "30",
        "COMMIT_SECONDS": "5",
        "HEARTBEAT_SECONDS": "5",
    }
    return App.start(simulator, **settings, **patience, ATTEMPT_BUDGET_SECONDS="60")  # type: ignore[arg-type]


def storm(simulator: Simulator, *, streams: int, seed: int, parallel: int) -> list[str]:
    """Blow, wait until every grace is over, and return what is wrong."""
    dice = random.Random(seed)
    plans = [make_plan(number, dice) for number in range(streams)]
    blown = Storm(simulator, [start_app(simulator), start_app(simulator)])
    began = time.monotonic()
    try:
        asyncio.run(blown.blow(plans, parallel))
        seconds = time.monotonic() - began
        deadline = time.monotonic() + GRACE_SECONDS + SETTLE_SECONDS
        while (running := simulator.running_responses()) and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        for app in blown.apps:
            app.stop()
    tally = blown.tally
    planned = Counter(plan.cut_by or "nobody" for plan in plans)
    print(
        f"storm: {streams} streams over {tally.connections} connections in {seconds:.0f} s, {blown.kills} workers killed"
    )
    print(f"storm: seed {seed}, planned to be cut by {dict(planned)}, outcomes {dict(tally.outcomes)}")
    print(f"storm: {running} responses left running past their grace")
    return tally.wrong + ([f"{running} responses run on past their grace"] if running else [])


def main() -> int:
    """Start what is needed, blow, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.resume_storm", description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--parallel", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"storm: replay with SEED={arguments.seed}", flush=True)
    with Simulator.start() as simulator:
        wrong = storm(simulator, streams=arguments.streams, seed=arguments.seed, parallel=arguments.parallel)
    for line in wrong[:20]:
        print(line)
    print("storm: nothing wrong" if not wrong else f"storm: {len(wrong)} things wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
