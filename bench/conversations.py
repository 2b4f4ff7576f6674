"""`make bench-conversations`: do conversations hold together over several accounts, and what is left of the prompt cache?

Conversations of six turns, in three styles, each account with its own encrypted items, stored items and cache, and one of
three accounts failing a tenth of its requests; through the openai client, against the app on the real worker. Then the same
conversations over one account that never fails. Exit status 1 where one breaks or the caches' hit rates differ too much.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from openai import APIError, AsyncOpenAI, DefaultAsyncHttpxClient
from openai.types.responses import Response

from bench.serving import serving
from dev.simulator.control import Simulator
from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.upstream.affinity import affinity_key
from shared.upstream.pool import BackendPool

ACCOUNTS = ("first", "second", "third")
FAILING = ACCOUNTS[-1]
FAILED_SHARE = 0.1
TURNS = 6
AT_ONCE = 24
MAX_RETRIES = 5
"""Of the client, which waits between them: what the owner of a conversation refuses, nobody else can answer."""
MAX_CACHE_LOSS = 0.05
INSTRUCTIONS_CHARACTERS = 6000
"""1,500 tokens: a shorter prompt is not cached."""
MODEL = "gpt-5.4-mini"
COST_ROUNDS = 2000
FAILURES: tuple[dict[str, Any], ...] = (
    {"status": 429, "headers": {"retry-after-ms": "50"}},
    {"status": 500},
    {"status": 503},
    {"end": "reset", "after": -1},
    {"in_stream_error": {"code": "server_error", "type": "server_error"}},
)
"""All of them before the first content: what fails later is the client's to repeat, since it has begun to show the answer."""
ACCOUNT = {"encrypts": True, "knows_items": True, "caches": True}


@dataclass(slots=True)
class Tally:
    """What the clients saw."""

    turns: int = 0
    broken: list[str] = field(default_factory=list)
    refused: Counter[int] = field(default_factory=Counter)
    """Responses by their error status, before the client asked again."""
    input_tokens: int = 0
    cached_tokens: int = 0

    @property
    def hit_rate(self) -> float:
        """Return the share of the input tokens that came out of a cache."""
        return self.cached_tokens / max(self.input_tokens, 1)


type Create = Callable[[dict[str, Any]], Awaitable[Response]]


async def stored(create: Create, questions: list[str]) -> None:
    """Go on from the last response by its id."""
    previous: dict[str, Any] = {}
    for question in questions:
        response = await create({"input": question, **previous})
        previous = {"previous_response_id": response.id}


async def encrypted(create: Create, questions: list[str]) -> None:
    """Send the whole history, reasoning included, which only the account that made it can read."""
    history: list[dict[str, Any]] = []
    for question in questions:
        history.append({"role": "user", "content": question})
        # The first turn's text alone, as many clients send it.
        said = history if len(history) > 1 else question
        body = {"input": said, "store": False, "include": ["reasoning.encrypted_content"]}
        response = await create(body)
        history += [item.model_dump(exclude_none=True) for item in response.output]


async def references(create: Create, questions: list[str]) -> None:
    """Send the history as references to items that the account has stored."""
    history: list[dict[str, Any]] = []
    for question in questions:
        history.append({"role": "user", "content": question})
        response = await create({"input": history})
        history += [{"type": "item_reference", "id": item.id} for item in response.output]


STYLES = (stored, encrypted, references)


def failures(requests: int, seed: int) -> list[dict[str, Any]]:
    """Return the failing account's behaviours, one per request."""
    rng = random.Random(seed)
    good = {"tokens": 2, "interval": 0}
    return [{**good, **rng.choice(FAILURES)} if rng.random() < FAILED_SHARE else good for _ in range(requests)]


async def converse(client: AsyncOpenAI, number: int, tally: Tally) -> None:
    """Have one conversation; every other one is streamed."""
    instructions = (f"Conversation {number}. " + "Say it as it is. " * 400)[:INSTRUCTIONS_CHARACTERS]
    style = STYLES[number % len(STYLES)]

    async def create(body: dict[str, Any]) -> Response:
        asked: dict[str, Any] = {"model": MODEL, "instructions": instructions, **body}
        if number % 2:
            response: Response = await client.responses.create(**asked)
        else:
            ends = [event.response async for event in await client.responses.create(**asked, stream=True)
                    if event.type == "response.completed"]  # fmt: skip
            response = ends[0]
        tally.turns += 1
        if response.usage is not None:
            tally.input_tokens += response.usage.input_tokens
            tally.cached_tokens += response.usage.input_tokens_details.cached_tokens
        return response

    try:
        await style(create, [f"Question {turn} of conversation {number}?" for turn in range(TURNS)])
    except (APIError, IndexError) as error:
        tally.broken.append(f"{number}, {style.__name__}: {type(error).__name__}: {error}")


async def measure(simulator: Simulator, accounts: tuple[str, ...], conversations: int, seed: int) -> Tally:
    """Have all conversations over these accounts, the failing one among them or not."""
    simulator.reset()
    simulator.set_accounts(ACCOUNT)
    good = {"tokens": 2, "interval": 0, "repeat": True}
    simulator.behave(good, **{FAILING: [*failures(8 * TURNS * conversations, seed), good]})
    tally, turnstile = Tally(), asyncio.Semaphore(AT_ONCE)

    async def refused(response: Any) -> None:
        if response.status_code >= 400:
            tally.refused[response.status_code] += 1

    backends = json.dumps([{"name": name, "endpoint": simulator.backends[name]} for name in accounts])
    async with serving(simulator, AZURE_OPENAI_BACKENDS=backends, AZURE_OPENAI_ENDPOINT="") as url:
        http = DefaultAsyncHttpxClient(event_hooks={"response": [refused]})
        async with AsyncOpenAI(base_url=url + "/v1", api_key="-", max_retries=MAX_RETRIES, http_client=http) as client:

            async def one(number: int) -> None:
                async with turnstile:
                    await converse(client, number, tally)

            await asyncio.gather(*map(one, range(conversations)))
    return tally


def cost_micros(accounts: int) -> float:
    """Return the CPU time of choosing among so many accounts for a request of fifty turns, in microseconds."""
    backends = [Backend(name=str(number), base_url="https://a/", scope="s") for number in range(accounts)]
    target = Target(MODEL, {backend.name: MODEL for backend in backends})
    pool = BackendPool(backends)
    candidates = pool.candidates_for_model(target)
    said = [{"role": role, "content": "x" * 200} for role in ("user", "assistant")] * 50
    fields = msgspec.json.decode(msgspec.json.encode({"input": said}), type=dict[str, msgspec.Raw])
    began = time.process_time()
    for _ in range(COST_ROUNDS):
        pool.choose(candidates, conversation=affinity_key(fields, {}, "caller") if accounts > 1 else b"")
    return (time.process_time() - began) / COST_ROUNDS * 1e6


def report(several: Tally, one: Tally) -> list[str]:
    """Return the lines to print."""
    refused = ", ".join(f"{count} × {status}" for status, count in sorted(several.refused.items())) or "none"
    loss = one.hit_rate - several.hit_rate
    return [
        f"turns answered        {several.turns} over three accounts, {one.turns} over one",
        f"broken conversations  {len(several.broken)} over three accounts, {len(one.broken)} over one",
        f"refusals on the way   {refused}",
        f"prompt cache hits     {several.hit_rate:.1%} over three accounts, {one.hit_rate:.1%} over one: {loss:+.1%} lost",
        f"choosing an account   {cost_micros(len(ACCOUNTS)):.0f} µs of three, {cost_micros(1):.0f} µs of one",
        *several.broken[:5],
    ]


async def run(conversations: int, seed: int) -> tuple[Tally, Tally]:
    """Return what came of the conversations over three accounts, and over one."""
    with Simulator.start(backends=ACCOUNTS, interval=0) as simulator:
        several = await measure(simulator, ACCOUNTS, conversations, seed)
        return several, await measure(simulator, ACCOUNTS[:1], conversations, seed)


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.conversations", description=__doc__)
    parser.add_argument("--conversations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    several, one = asyncio.run(run(arguments.conversations, arguments.seed))
    print("\n".join(report(several, one)))
    is_whole = not several.broken and not one.broken
    return 0 if is_whole and one.hit_rate - several.hit_rate <= MAX_CACHE_LOSS else 1


if __name__ == "__main__":
    sys.exit(main())
