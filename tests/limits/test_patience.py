"""A deadline counts the time in which the event loop could have taken an answer, and no more of it than that."""

import asyncio
import time

import pytest

from shared.limits.patience import Patience
from tests.harness.virtual_time import run


def test_a_busy_process_is_not_a_slow_store() -> None:
    async def main() -> None:
        patience = Patience(0.3)
        async with patience:
            for _ in range(2):
                await asyncio.sleep(0)
                time.sleep(0.3)  # noqa: ASYNC251 - the loop is busy
        assert patience.left > 0

    asyncio.run(main())


def test_it_ends_exactly_in_time_and_its_parts_add_up() -> None:
    async def main() -> None:
        clock, patience = asyncio.get_running_loop().time, Patience(1.0)
        async with patience:
            await asyncio.sleep(0.25)
        await asyncio.sleep(60)
        async with patience:
            await asyncio.sleep(0.25)
        began = clock()
        with pytest.raises(TimeoutError):
            async with patience:
                await asyncio.sleep(3600)
        assert clock() - began == pytest.approx(0.5)

    run(main())


def test_who_is_cancelled_from_outside_is_cancelled() -> None:
    async def waits() -> None:
        async with Patience(1.0):
            await asyncio.sleep(3600)

    async def main() -> None:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
