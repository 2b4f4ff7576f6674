"""Which account a conversation of the chat API asks."""

import asyncio
import json
from typing import Any

from starlette.requests import Request

from shared.chat.dialects import DIALECTS
from shared.chat.exchange import ChatExchange
from shared.chat.negotiation import Preferences, parse_accept
from shared.chat.request import Schema
from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.http.context import RequestContext
from shared.receipt import Receipt
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.pool import BackendPool
from tests.harness.cells import cells

STREAM = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\ndata: [DONE]\n\n'


class Body:
    async def read(self) -> bytes:
        return STREAM

    def at_end(self) -> bool:
        return True

    def hang_up(self) -> None:
        """Nobody is there."""

    def close(self) -> None:
        """Nothing is open."""


class Clients:
    """Stands in for the clients: notes who is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def load(self) -> None:
        """Nothing is slow."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        self.asked.append(backend.name)
        return UpstreamResponse(200, {}, Body())

    async def aclose(self) -> None:
        """Nothing is open."""


def asked(bodies: list[dict[str, Any]], *, names: str = "abcdefgh", caller: str = "me", **env: str) -> list[str]:
    """Who is asked for each, by a process of its own."""
    listed = json.dumps([{"name": name, "endpoint": f"https://{name}.openai.azure.com"} for name in names])
    settings = Settings.from_env({"AZURE_OPENAI_BACKENDS": listed, "AZURE_OPENAI_DEPLOYMENT": "m", **env})

    async def one(body: dict[str, Any]) -> str:
        clients = Clients()
        request = Request({"type": "http", "method": "POST", "path": "/chat", "query_string": b"", "headers": []})
        exchange = ChatExchange(
            settings=settings,
            upstream=Upstream(clients, BackendPool(settings.backends), settings),
            dialect=DIALECTS["chat"],
            context=RequestContext.of(request, "i", {}),
            receipt=Receipt(id="r", invocation_id="i", api="chat", caller=caller),
            preferences=Preferences(asked=None, accept=parse_accept(None), must_stream=False, streaming_enabled=True),
            schema=Schema.NATIVE,
            headers_up={},
        )
        answer = exchange.prepare(json.dumps(body).encode())
        assert isinstance(answer, Answer)
        (await answer.begin()).close()
        return clients.asked[0]

    async def every() -> list[str]:
        return [await one(body) for body in bodies]

    return asyncio.run(every())


def said(*turns: str, system: str = "Be kind.") -> dict[str, Any]:
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(turns)]
    return {"messages": [{"role": "system", "content": system}, *messages]}


def test_a_conversation_asks_one_account_while_it_grows() -> None:
    turns = ["Hello", "Hi", "And?", "Well", "More"]
    found = asked([said(*turns[:count]) for count in (1, 3, 5)])
    assert len(set(found)) == 1


def test_one_question_is_one_conversation_in_either_spelling() -> None:
    question: list[dict[str, Any]] = [{"input": "Hello"}, {"messages": [{"role": "user", "content": "Hello"}]}]
    assert len(set(asked(question))) == 1


@cells("differing", ["question", "system", "caller"])
def test_what_differs_in_its_beginning_or_its_caller_is_another_conversation(differing: str) -> None:
    found: list[str] = []
    for number in map(str, range(40)):
        body = said(number if differing == "question" else "Hello", system=number if differing == "system" else "Be.")
        found += asked([body], caller=number if differing == "caller" else "me")
    assert len(set(found)) > 4
