"""What a request leaves behind in the worker: next to nothing."""

import asyncio

import aiohttp
import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.storm import private_bytes
from tests.worker.test_chat import RAW

WARM_UP, MEASURED, PARALLEL = 6_000, 14_000, 32
MOST_BYTES = 50


async def ask_often(url: str, times: int) -> None:
    left = iter(range(times))
    async with aiohttp.ClientSession() as session:

        async def worker() -> None:
            for _ in left:
                async with session.post(f"{url}/chat?format=json", json={"input": "hi"}) as response:
                    await response.read()
                    assert response.status == 200

        await asyncio.gather(*(worker() for _ in range(PARALLEL)))


@pytest.mark.slow
def test_20000_requests_grow_the_worker_by_less_than_50_bytes_each(simulator: Simulator) -> None:
    with App.start(simulator) as app:
        simulator.behave({"raw": RAW, "repeat": True})
        asyncio.run(ask_often(app.url, WARM_UP))  # caches and pools take their size
        before = private_bytes(app.worker_pid)
        asyncio.run(ask_often(app.url, MEASURED))
        growth = (private_bytes(app.worker_pid) - before) / MEASURED
    print(f"growth per request: {growth:.1f} bytes")
    assert growth < MOST_BYTES
