"""What a request leaves behind in the worker: next to nothing.

Two measures. Python's own blocks are counted exactly: nothing of a finished request is kept. The process's memory also has
what libraries keep in C, but it grows in steps of the allocators, for the first ten or twenty thousand requests; what each
request leaves behind is there in every window of them. So that growth is read in windows, and the lower quartile counts.
"""

import asyncio
import statistics
import time
from contextlib import ExitStack
from itertools import pairwise

import aiohttp
import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.platforms import only_on_linux
from tests.remains import private_bytes
from tests.worker.samples import RAW
from tests.worker.sim import sim
from tests.worker.ways import WAYS

WARM_UP, WINDOWS, WINDOW, PARALLEL = 4_000, 10, 2_000, 32
MOST_BYTES = 50
MOST_BLOCKS = 0.1
"""A kept object is one block or more of each request; idle connections come and go."""
FEW, MANY = 10, 60
MOST_BLOCKS_OF_AN_OPEN_STREAM = {"chat sse": 405, "openai chat": 395}
"""Some 385 and 375 are what aiohttp, uvicorn, the event loop and this app need for it. The framework's layers would be 75 more,
the upstream's head 35."""


async def ask_often(url: str, times: int) -> None:
    left = iter(range(times))
    async with aiohttp.ClientSession() as session:

        async def worker() -> None:
            for _ in left:
                async with session.post(f"{url}/chat?format=json", json={"input": "hi"}) as response:
                    await response.read()
                    assert response.status == 200

        await asyncio.gather(*(worker() for _ in range(PARALLEL)))


@only_on_linux("/proc shows the memory that a process has for itself")
@pytest.mark.slow
def test_20000_requests_grow_the_worker_by_less_than_50_bytes_each(simulator: Simulator) -> None:
    with App.start(simulator) as app:
        simulator.behave({"raw": RAW, "repeat": True})
        asyncio.run(ask_often(app.url, WARM_UP))  # caches and pools take their size
        blocks = app.worker_blocks
        sizes = [private_bytes(app.worker_pid)]
        for _ in range(WINDOWS):
            asyncio.run(ask_often(app.url, WINDOW))
            sizes.append(private_bytes(app.worker_pid))
        kept = (app.worker_blocks - blocks) / (WINDOWS * WINDOW)
    growth = [(after - before) / WINDOW for before, after in pairwise(sizes)]
    print(f"per request: {kept:.4f} blocks; bytes, window by window: {', '.join(f'{one:.1f}' for one in growth)}")
    assert kept < MOST_BLOCKS
    assert statistics.quantiles(growth, n=4)[0] < MOST_BYTES


@pytest.mark.parametrize("way", MOST_BLOCKS_OF_AN_OPEN_STREAM)
def test_an_open_stream_keeps_no_web_framework_around_it(app: App, way: str) -> None:
    with ExitStack() as streams:
        blocks = []
        for count in (FEW, MANY - FEW):
            begun = [
                streams.enter_context(WAYS[way].begin(app, "gpt", sim(tokens=500, interval=0.2))) for _ in range(count)
            ]
            for stream in begun:
                stream.read_until(b"data: ")
            time.sleep(0.5)
            blocks.append(app.worker_blocks)
    per_stream = (blocks[1] - blocks[0]) / (MANY - FEW)
    print(f"per open stream: {per_stream:.0f} blocks")
    assert per_stream < MOST_BLOCKS_OF_AN_OPEN_STREAM[way]
