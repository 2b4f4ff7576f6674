"""The keys of one process: read late, once, for all who wait, and not for ever."""

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping

import pytest

from shared.errors import StateUnavailable
from shared.state.signing_key import FAILURE_SECONDS, SECRET_BYTES, KeyRing, KeyStoreError, SigningKey

SECRET = bytes(range(SECRET_BYTES))
INTERNAL = "st123.blob.core.windows.net said no"


class Store:
    """A store in memory that answers when it is told to."""

    def __init__(self, *failures: Exception) -> None:
        self.secrets: dict[int, bytes] = {1: SECRET}
        self.failures = list(failures)
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self) -> Mapping[int, bytes]:
        self.reads += 1
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        return dict(self.secrets)

    async def add(self, number: int, secret: bytes) -> None:
        self.secrets.setdefault(number, secret)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_opened_before_the_first_call_and_nothing_is_read_twice() -> None:
    async def use() -> None:
        store = Store()
        opened: list[Store] = []

        def open_store() -> Store:
            opened.append(store)
            return store

        ring = KeyRing(open_store)
        await asyncio.sleep(0)
        assert opened == []
        assert await ring.keys() == await ring.keys() == (SigningKey(1, SECRET),)
        assert (len(opened), store.reads) == (1, 1)

    asyncio.run(use())


def test_an_empty_store_gets_a_key_of_random_bytes() -> None:
    async def made() -> bytes:
        store = Store()
        store.secrets.clear()
        (key,) = await KeyRing(lambda: store).keys()
        assert store.secrets == {key.number: key.secret}
        assert len(key.secret) == SECRET_BYTES
        return key.secret

    assert asyncio.run(made()) != asyncio.run(made())


def test_the_newest_key_comes_first() -> None:
    async def numbers() -> list[int]:
        store = Store()
        store.secrets |= {10: SECRET, 2: SECRET}
        return [key.number for key in await KeyRing(lambda: store).keys()]

    assert asyncio.run(numbers()) == [10, 2, 1]


def test_one_read_serves_all_who_wait_and_goes_on_when_they_have_left() -> None:
    async def use() -> None:
        store = Store()
        store.gate.clear()
        ring = KeyRing(lambda: store)
        waiting = [asyncio.create_task(ring.keys()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        assert [task.cancelled() for task in waiting] == [True, False, False]
        for task in waiting[1:]:
            task.cancel()
        await asyncio.wait(waiting)
        store.gate.set()
        assert await ring.keys() == (SigningKey(1, SECRET),)
        assert store.reads == 1

    asyncio.run(use())


@pytest.mark.parametrize(
    ("failure", "logged"),
    [
        (KeyStoreError(INTERNAL), INTERNAL),
        (OSError(INTERNAL), "unexpected error"),
        (TimeoutError(), "no answer within"),
    ],
)
def test_a_failure_is_ours_and_its_cause_is_in_the_log_once(
    failure: Exception, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def use() -> None:
        store = Store(failure)
        ring = KeyRing(lambda: store)
        found = await asyncio.gather(*(ring.keys() for _ in range(3)), return_exceptions=True)
        assert len(set(map(id, found))) == 3, "an error that was raised is never raised again"
        for error in found:
            assert isinstance(error, StateUnavailable)
            assert (error.status, error.code) == (503, "state_unavailable")
            assert INTERNAL not in error.body().decode()
        assert store.reads == 1

    asyncio.run(use())
    told = [record for record in caplog.records if "answered with 503" in record.message]
    assert len(told) == 1
    assert logged in told[0].message


def test_settings_that_cannot_be_used_are_a_failure_too() -> None:
    def open_store() -> Store:
        raise KeyStoreError("AzureWebJobsStorage__blobServiceUri is not valid")

    with pytest.raises(StateUnavailable):
        asyncio.run(KeyRing(open_store).keys())


def test_a_failure_is_remembered_for_a_moment_and_then_the_store_is_asked_again() -> None:
    async def use() -> None:
        store, clock = Store(KeyStoreError("first")), Clock()
        ring = KeyRing(lambda: store, clock=clock)
        for _ in range(3):
            with pytest.raises(StateUnavailable):
                await ring.keys()
            clock.now += FAILURE_SECONDS / 4
        assert store.reads == 1
        clock.now = FAILURE_SECONDS
        assert await ring.keys()
        assert store.reads == 2

    asyncio.run(use())


def test_a_store_that_does_not_answer_is_waited_for_a_bounded_time() -> None:
    async def use() -> None:
        store = Store()
        store.gate.clear()
        async with asyncio.timeout(10):
            with pytest.raises(StateUnavailable):
                await KeyRing(lambda: store, read_seconds=0.05).keys()

    asyncio.run(use())


def test_a_failure_that_nobody_waits_for_any_more_is_no_complaint_of_asyncio(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="asyncio")

    async def use(failing: Callable[[], Store]) -> None:
        ring = KeyRing(failing)
        waiting = asyncio.create_task(ring.keys())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        for _ in range(5):
            await asyncio.sleep(0)

    asyncio.run(use(lambda: Store(KeyStoreError("nobody hears"))))
    gc.collect()
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def test_keys_that_are_being_read_already_are_not_read_again() -> None:
    async def use() -> None:
        store = Store()
        store.gate.clear()
        ring = KeyRing(lambda: store)
        for _ in range(2):
            ring.start()
            await asyncio.sleep(0)
        waiting = asyncio.create_task(ring.keys_if_available())
        await asyncio.sleep(0)
        store.gate.set()
        assert await waiting == await ring.keys() == await ring.keys_if_available()
        ring.start()
        assert store.reads == 1

    asyncio.run(use())


def test_who_can_do_without_the_keys_waits_for_the_first_read_alone() -> None:
    async def use() -> None:
        clock, store = Clock(), Store(KeyStoreError("no"))
        ring = KeyRing(lambda: store, clock=clock)
        assert await ring.keys_if_available() == ()
        clock.now = FAILURE_SECONDS + 1
        store.gate.clear()
        assert await ring.keys_if_available() == (), "the second read is under way, and nobody waits"
        await asyncio.sleep(0)
        assert store.reads == 2
        store.gate.set()
        assert await ring.keys()
        assert await ring.keys_if_available()

    asyncio.run(use())


def test_a_store_that_recovers_is_waited_for_again_when_the_keys_are_needed() -> None:
    async def use() -> None:
        clock, store = Clock(), Store(KeyStoreError("no"))
        ring = KeyRing(lambda: store, clock=clock)
        with pytest.raises(StateUnavailable):
            await ring.keys()
        clock.now = FAILURE_SECONDS + 1
        assert await ring.keys()

    asyncio.run(use())
