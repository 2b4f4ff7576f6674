"""An invocation and its HTTP request in the worker library's own coordinator: when they meet, and when one is missing."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from azure_functions_runtime.http_v2 import HttpCoordinator

from shared.hosting import invocations

BOUND = 0.1
LONG = 3 * BOUND
NEVER = 20.0
"""Long enough that only a wait without an end reaches it."""

type Handler = Callable[[object], Awaitable[object]]


def coordinator(seconds: float = BOUND) -> Any:
    """The library's, apart from the one of the process, with bounded waits."""
    made: Any = type.__call__(HttpCoordinator)
    invocations.bound_waits(made, seconds)
    return made


async def echo(request: object) -> object:
    return request


async def invoke(waits: Any, handler: Handler = echo, name: str = "one") -> None:
    """The same calls as `handle_event.invocation_request` of the library."""
    try:
        request = await waits.get_http_request_async(name)
        waits.set_http_response(name, await handler(request))
    except Exception as failure:
        waits.set_http_response(name, failure)
        raise


async def forward(waits: Any, request: object = "request", name: str = "one") -> Any:
    """The same calls as the library's only route, `catch_all`."""
    waits.set_http_request(name, request)
    return await waits.await_http_response_async(name)


def within[T](steps: Awaitable[T]) -> T:
    async def run() -> T:
        async with asyncio.timeout(NEVER):
            return await steps

    return asyncio.run(run())


def assert_lost(answer: Any) -> None:
    assert (answer.status_code, json.loads(answer.body)["error"]["code"]) == (503, "invocation_lost")


def test_an_invocation_whose_request_never_arrives_fails_and_leaves_nothing_behind() -> None:
    async def steps() -> None:
        waits = coordinator()
        with pytest.raises(invocations.RequestNeverArrived, match=r"did not arrive within 0\.1 s") as failure:
            await invoke(waits)
        assert failure.value.__cause__ is None
        assert failure.value.__suppress_context__
        await asyncio.sleep(LONG)
        assert waits._context_references == {}

    within(steps())


def test_a_request_that_is_late_is_answered_at_once_and_leaves_nothing_behind() -> None:
    async def steps() -> None:
        waits = coordinator(LONG)
        with pytest.raises(invocations.RequestNeverArrived):
            await invoke(waits)
        answering = asyncio.create_task(forward(waits))
        for _ in range(5):
            await asyncio.sleep(0)
        assert answering.done()
        assert_lost(answering.result())
        await asyncio.sleep(2 * LONG)
        assert waits._context_references == {}

    within(steps())


def test_a_request_that_is_very_late_is_answered_as_well_and_leaves_nothing_behind() -> None:
    async def steps() -> None:
        waits = coordinator()
        with pytest.raises(invocations.RequestNeverArrived):
            await invoke(waits)
        await asyncio.sleep(LONG)
        assert_lost(await forward(waits))
        assert waits._context_references == {}

    within(steps())


def test_a_request_whose_invocation_never_comes_is_answered_and_leaves_nothing_behind() -> None:
    async def steps() -> None:
        waits = coordinator()
        assert_lost(await forward(waits))
        assert waits._context_references == {}

    within(steps())


def test_two_requests_of_one_lost_invocation_are_both_answered() -> None:
    # The host sends a request again, under the same id, where the connection was closed before an answer.
    async def steps() -> None:
        waits = coordinator()
        for answer in await asyncio.gather(forward(waits), forward(waits)):
            assert_lost(answer)
        assert waits._context_references == {}

    within(steps())


def test_a_handler_that_has_its_request_may_take_longer_than_the_bound() -> None:
    async def slow(request: object) -> object:
        await asyncio.sleep(LONG)
        return request

    async def steps() -> None:
        waits = coordinator()
        answer, _ = await asyncio.gather(forward(waits), invoke(waits, slow))
        assert answer == "request"

    within(steps())


def test_what_a_handler_raises_reaches_the_request_as_it_is() -> None:
    async def broken(_request: object) -> object:
        raise LookupError("of the handler")

    async def steps() -> None:
        waits = coordinator()
        results: Any = await asyncio.gather(forward(waits), invoke(waits, broken), return_exceptions=True)
        assert results[0] is results[1]
        assert isinstance(results[0], LookupError)

    within(steps())


@pytest.mark.parametrize("first", ["request", "invocation"])
def test_halves_that_meet_in_time_meet_as_ever_in_either_order(first: str) -> None:
    async def steps() -> None:
        waits = coordinator(NEVER)
        halves = [forward(waits), invoke(waits)]
        begun = [asyncio.ensure_future(half) for half in (halves if first == "request" else reversed(halves))]
        results = await asyncio.gather(*begun)
        assert [result for result in results if result is not None] == ["request"]

    within(steps())


def test_one_lost_request_is_of_no_consequence_to_another() -> None:
    async def steps() -> None:
        waits = coordinator()
        lost = asyncio.create_task(invoke(waits, name="lost"))
        answer, _ = await asyncio.gather(forward(waits, name="good"), invoke(waits, name="good"))
        assert answer == "request"
        with pytest.raises(invocations.RequestNeverArrived):
            await lost

    within(steps())


def test_waits_end_on_a_loop_that_is_not_on_the_main_thread() -> None:
    waits = coordinator()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            within(invoke(waits))
        except invocations.RequestNeverArrived as failure:
            failures.append(failure)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(failures) == 1


def test_waits_are_bounded_once_however_often_it_is_asked_for() -> None:
    waits = coordinator(NEVER)
    bounded = waits.get_http_request_async
    invocations.bound_waits(waits, BOUND)
    assert waits.get_http_request_async == bounded


class Changed:
    """A coordinator of another shape."""

    def __init__(self) -> None:
        self._context_references: Any = {}

    async def get_http_request_async(self, invoc_id: str) -> None: ...

    async def await_http_response_async(self, invoc_id: str) -> None: ...


class OtherMemory(Changed):
    def __init__(self) -> None:
        self._context_references = []


class OtherCall(Changed):
    async def get_http_request_async(self, invoc_id: str, timeout: float = 1) -> None: ...


class NotAsync(Changed):
    def await_http_response_async(self, invoc_id: str) -> None: ...  # type: ignore[override]


@pytest.mark.parametrize("changed", [None, SimpleNamespace(), OtherMemory(), OtherCall(), NotAsync()])
def test_a_library_of_another_shape_is_found_out(changed: Any) -> None:
    assert invocations.waits_problem(changed).startswith("its HttpCoordinator has no ")


def test_the_librarys_own_shape_is_the_one_that_is_known() -> None:
    assert invocations.waits_problem(coordinator()) == ""
    assert invocations.memory_problem(coordinator()) == ""


def test_a_released_invocation_is_gone_from_the_librarys_memory_and_no_other_is() -> None:
    memory = invocations.InvocationMemory()
    memory.release("one")  # before the library is known
    memory.references = {"one": object(), "two": object()}
    memory.release("one")
    memory.release("one")
    assert memory.references.keys() == {"two"}
