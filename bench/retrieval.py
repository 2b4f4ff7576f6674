"""`make bench-retrieval`: when does the first step of a search show, and what does the app add to search and model?

The app on the real worker, before a simulated search and model that take a known time. The same questions go to the same app
without a search, and straight to the search; what the app adds is the rest. Exit status 1 beyond the goals.
"""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass
from statistics import median

import httpx

from bench.serving import serving
from dev.simulator.control import Simulator

FIRST_STEP_MS = 50.0
ADDED_MS = 3.0
SEARCH_SECONDS = 0.15
MODEL_SECONDS = 0.2
QUESTION = "What is the deadline of a request's body?"
WARMING = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians, in milliseconds since the request."""

    first_step: float
    first_word: float
    plain_word: float
    """Of the same app without a search."""
    search: float
    """Of the search alone, asked directly."""

    @property
    def added(self) -> float:
        """Return what is neither the search's nor the model's."""
        return self.first_word - self.plain_word - self.search

    def report(self) -> list[str]:
        """Return the lines to print."""
        return [
            f"first step            {self.first_step:.1f} ms after the request (goal: {FIRST_STEP_MS:g})",
            f"first word            {self.first_word:.1f} ms; without a search {self.plain_word:.1f}",
            f"the search alone      {self.search:.1f} ms",
            f"added by the app      {self.added:+.1f} ms (goal: {ADDED_MS:g})",
        ]

    @property
    def meets_the_goals(self) -> bool:
        """Return whether the steps show in time, and nothing else takes long."""
        return self.first_step <= FIRST_STEP_MS and self.added <= ADDED_MS


async def ask(client: httpx.AsyncClient, url: str) -> tuple[float, float]:
    """Return the milliseconds to the first event and to the first word."""
    began, first = time.perf_counter(), 0.0
    headers = {"accept": "application/x-ndjson"}
    async with client.stream("POST", f"{url}/chat", json={"input": QUESTION}, headers=headers) as response:
        async for line in response.aiter_lines():
            now = (time.perf_counter() - began) * 1000
            first = first or now
            if json.loads(line)["type"] == "delta":
                return first, now
    raise RuntimeError("an answer without a word")


async def search(client: httpx.AsyncClient, simulator: Simulator, token: str) -> float:
    """Return the milliseconds that the search itself takes."""
    began = time.perf_counter()
    url = f"{simulator.search}/indexes('docs')/docs/search.post.search?api-version=2026-04-01"
    body = {"search": QUESTION, "top": 5, "select": "content,title,url"}
    response = await client.post(url, json=body, headers={"authorization": f"Bearer {token}"})
    assert len(response.json()["value"]) == 5
    return (time.perf_counter() - began) * 1000


async def measure(simulator: Simulator, count: int) -> Measured:
    """Ask so often, in turns, so that noise affects all alike."""
    simulator.behave({"text": "It waits [1].", "start_delay": MODEL_SECONDS, "repeat": True})
    simulator.behave_search({"delay": SEARCH_SECONDS, "times": 10 * (count + WARMING)})
    token = simulator.token("https://search.azure.com")
    settings = {"RETRIEVAL": "on", "SEARCH_ENDPOINT": simulator.search, "SEARCH_INDEX": "docs"}
    steps, words, plain, alone = list[float](), list[float](), list[float](), list[float]()
    async with (
        serving(simulator, **settings) as searching,
        serving(simulator) as silent,
        httpx.AsyncClient(timeout=30) as client,
    ):
        for number in range(count + WARMING):
            step, word = await ask(client, searching)
            _, without = await ask(client, silent)
            found = await search(client, simulator, token)
            if number >= WARMING:
                steps.append(step)
                words.append(word)
                plain.append(without)
                alone.append(found)
    return Measured(median(steps), median(words), median(plain), median(alone))


def main() -> int:
    """Measure, print, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.retrieval", description=__doc__)
    parser.add_argument("--questions", type=int, default=100)
    arguments = parser.parse_args()
    with Simulator.start(interval=0) as simulator:
        found = asyncio.run(measure(simulator, arguments.questions))
    print("\n".join(found.report()))
    return 0 if found.meets_the_goals else 1


if __name__ == "__main__":
    sys.exit(main())
