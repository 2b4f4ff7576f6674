"""One client at the app and one at the upstream itself: a case is run at both, and finds the same.

A case is a coroutine that takes a client, and is written once for synchronous and asynchronous ones.
"""

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
from pydantic import BaseModel

from dev.simulator.control import Simulator

type Client = Any
"""OpenAI, AsyncOpenAI, AzureOpenAI or AsyncAzureOpenAI. No type says that one line calls any of them."""
type Case = Callable[[Client], Awaitable[Any]]

MODEL = "gpt-5-mini"
API_VERSION = "2025-04-01-preview"
UPSTREAM_KEY = "key-of-the-upstream"
KINDS = ("openai", "async openai at /openai/v1", "azure", "async azure with a deployment")
OTHER_KINDS = ("async openai", "openai at /openai/v1", "async azure", "azure with a deployment")


def make_client(kind: str, endpoint: str, key: str, *, prefix: str = "/v1", **more: Any) -> Client:
    """A client as its documents say to make it, at an address; it retries nothing by itself."""
    more = {"api_key": key, "max_retries": 0, **more}
    if "azure" in kind:
        azure: Any = openai.AsyncAzureOpenAI if "async" in kind else openai.AzureOpenAI
        deployment = {"azure_deployment": MODEL} if "deployment" in kind else {}
        return azure(azure_endpoint=endpoint, api_version=API_VERSION, **deployment, **more)
    plain: Any = openai.AsyncOpenAI if "async" in kind else openai.OpenAI
    return plain(base_url=endpoint + (kind.partition(" at ")[2] or prefix), **more)


class Sides:
    """The clients of every kind, made once, and the loop in which the asynchronous ones live."""

    def __init__(self, app_url: str, key: str, upstream: Simulator) -> None:
        self._app = (app_url, key)
        self._upstream = (upstream.backends["main"], UPSTREAM_KEY)
        self._clients: dict[tuple[str, bool], Client] = {}
        self._runner = asyncio.Runner()

    def app(self, kind: str) -> Client:
        """The client at the app."""
        if (kind, True) not in self._clients:
            self._clients[kind, True] = make_client(kind, *self._app)
        return self._clients[kind, True]

    def upstream(self, kind: str) -> Client:
        """The same client at the upstream."""
        if (kind, False) not in self._clients:
            self._clients[kind, False] = make_client(kind, *self._upstream, prefix="/openai/v1")
        return self._clients[kind, False]

    def run(self, case: Awaitable[Any]) -> Any:
        """Runs a coroutine to its end."""
        return self._runner.run(_coroutine(case))

    def close(self) -> None:
        """Closes every client, and the loop."""
        for client in self._clients.values():
            self.run(now(client.close()))
        self._runner.close()


class Both:
    """One kind of client, at the app and at the upstream."""

    def __init__(self, sides: Sides, kind: str) -> None:
        self.kind = kind
        self.app = sides.app(kind)
        self._upstream = sides.upstream(kind)
        self._sides = sides

    @property
    def is_azure(self) -> bool:
        """Whether it calls the addresses of Azure."""
        return isinstance(self.app, openai.AzureOpenAI | openai.AsyncAzureOpenAI)

    def same(self, case: Case) -> Any:
        """What the case finds: the same at both."""
        relayed, direct = map(comparable, self.pair(case))
        assert relayed == direct
        return relayed

    def pair(self, case: Case) -> tuple[Any, Any]:
        """What the case finds at the app, and at the upstream."""
        return self._sides.run(case(self.app)), self._sides.run(case(self._upstream))

    async def pair_at_once(self, case: Case) -> tuple[Any, Any]:
        """The same, with both under way at a time."""
        return await asyncio.gather(self._beside(case, self.app), self._beside(case, self._upstream))

    async def _beside(self, case: Case, client: Client) -> Any:
        if isinstance(client, openai.AsyncOpenAI):
            return await case(client)
        return await asyncio.to_thread(lambda: asyncio.run(_coroutine(case(client))))

    def at_app(self, case: Case) -> Any:
        """What the case finds at the app."""
        return self._sides.run(case(self.app))


async def _coroutine(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


async def now(value: Any) -> Any:
    """What a call gives, be it awaited or not."""
    return await value if inspect.isawaitable(value) else value


async def each(stream: Any) -> AsyncIterator[Any]:
    """The elements of either kind of stream."""
    if isinstance(stream, AsyncIterable):
        async for element in stream:
            yield element
    else:
        for element in stream:
            yield element


async def all_of(stream: Any) -> list[Any]:
    """Every element of a stream, or of what a call gives."""
    return [element async for element in each(await now(stream))]


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """Either kind of context manager, entered."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


_OWN_TO_EACH_ANSWER = {
    "id",
    "item_id",
    "call_id",
    "response_id",
    "tool_call_id",
    "first_id",
    "last_id",
    "created",
    "created_at",
    "completed_at",
}


def comparable(value: Any) -> Any:
    """The value without what differs between two answers to one question: ids and times, not whether there are any."""
    if isinstance(value, BaseModel):
        return comparable(value.model_dump(warnings=False))
    if isinstance(value, dict):
        return {name: "…" if name in _OWN_TO_EACH_ANSWER and one else comparable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(one) for one in value]
    return value


async def error_of(call: Callable[[], Any]) -> Any:
    """The client's exception that a call raises; for a stream, before its first element."""
    try:
        found = await now(call())
    except openai.OpenAIError as error:
        return error
    raise AssertionError(f"nothing was raised; got {found!r}")


async def elements_and_error(stream: Any) -> tuple[list[Any], Any]:
    """What an open stream gives, and what it raises in the end."""
    found = []
    try:
        async for element in each(stream):
            found.append(element)  # noqa: PERF401 - those before the error count
    except openai.OpenAIError as error:
        return found, error
    return found, None


def facts(error: openai.OpenAIError | None) -> dict[str, Any]:
    """What a program can decide by."""
    told: dict[str, Any] = {"class": type(error).__name__, "text": str(error)}
    if isinstance(error, openai.APIError):
        told |= {"code": error.code, "param": error.param, "type": error.type, "body": error.body}
    if isinstance(error, openai.APIStatusError):
        headers = error.response.headers
        told |= {"status": error.status_code, "has an id": bool(error.request_id)}
        told |= {name: headers.get(name) for name in ("retry-after", "retry-after-ms", "content-type")}
    return told


def words(chunks: list[Any]) -> str:
    """What the model said in the chunks of a chat stream."""
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices if choice.delta)


def asks(prompt: Any = "hello", **more: Any) -> dict[str, Any]:
    """The arguments of a chat request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": prompt}], **more}
