"""LangChain's models for OpenAI and Azure OpenAI: what comes is what the upstream itself gives them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import openai
import pytest
from pydantic import SecretStr

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.clients.samples import CITY, WEATHER, Forecast
from tests.clients.sides import API_VERSION, MODEL, UPSTREAM_KEY, Sides, comparable
from tests.worker.sim import ended, sim

if TYPE_CHECKING:
    from langchain_core.language_models.chat_models import BaseChatModel

type Model = BaseChatModel
# NOTE: imported where a model is made, since each process of pytest-xdist imports this file: half a second for each.


def chat_model(endpoint: str, key: str, prefix: str) -> Model:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(base_url=endpoint + prefix, api_key=SecretStr(key), model=MODEL, max_retries=0)


def responses_model(endpoint: str, key: str, prefix: str) -> Model:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        base_url=endpoint + prefix, api_key=SecretStr(key), model=MODEL, max_retries=0, use_responses_api=True
    )


def azure_model(endpoint: str, key: str, _: str) -> Model:
    from langchain_openai import AzureChatOpenAI

    return AzureChatOpenAI(
        azure_endpoint=endpoint,
        api_key=SecretStr(key),
        api_version=API_VERSION,
        azure_deployment=MODEL,
        max_retries=0,
    )


MODELS: dict[str, Callable[[str, str, str], Model]] = {
    "ChatOpenAI": chat_model,
    "ChatOpenAI with Responses": responses_model,
    "AzureChatOpenAI": azure_model,
}


class Pair:
    """One kind of model, at the app and at the upstream."""

    def __init__(self, make: Callable[[str, str, str], Model], app: App, key: str, upstream: Simulator) -> None:
        self.app = make(app.url, key, "/v1")
        self._upstream = make(upstream.backends["main"], UPSTREAM_KEY, "/openai/v1")

    def same(self, case: Callable[[Model], Any]) -> Any:
        """What the case finds: the same at both."""
        relayed, direct = (comparable(case(model)) for model in (self.app, self._upstream))
        assert relayed == direct
        return relayed


@pytest.fixture(params=MODELS)
def pair(request: pytest.FixtureRequest, app: App, key: str, upstream: Simulator) -> Pair:
    return Pair(MODELS[request.param], app, key, upstream)


def test_an_answer(pair: Pair) -> None:
    found = pair.same(lambda model: model.invoke("hello"))
    assert found["usage_metadata"]["output_tokens"] > 5


def test_a_streamed_answer(pair: Pair) -> None:
    def case(model: Model) -> Any:
        pieces = list(model.stream(sim(text="Grüße, Welt 😀!")))
        return "".join(str(piece.text) for piece in pieces), pieces

    text, pieces = pair.same(case)
    assert text == "Grüße, Welt 😀!"
    assert len(pieces) > 3


def test_an_answer_streamed_to_a_coroutine(pair: Pair, sides: Sides) -> None:
    def case(model: Model) -> Any:
        async def pieces() -> list[Any]:
            return [piece async for piece in model.astream("hello")]

        return sides.run(pieces())

    assert len(pair.same(case)) > 10


def test_a_tool_call(pair: Pair) -> None:
    def case(model: Model) -> Any:
        called = model.bind_tools([WEATHER]).invoke(sim(tool_call={"name": "weather", "arguments": CITY}))
        return called.tool_calls

    (call,) = pair.same(case)
    assert (call["name"], call["args"]) == ("weather", CITY)


def test_an_answer_of_a_given_structure(pair: Pair) -> None:
    found = pair.same(lambda model: model.with_structured_output(Forecast).invoke("hello"))
    assert Forecast.model_validate(found).sunny is True


def test_a_stream_that_is_cut_raises(pair: Pair) -> None:
    with pytest.raises(openai.APIError) as raised:
        list(pair.app.stream(sim(tokens=["Hello", " you", " and"], end="eof", after=2)))
    assert raised.value.code == "upstream_cut"


def test_a_refusal_is_the_clients_own_exception(pair: Pair) -> None:
    with pytest.raises(openai.RateLimitError):
        list(pair.app.stream(sim(status=429)))
    with pytest.raises(openai.BadRequestError) as raised:
        pair.app.invoke(sim(status=400, error="content_filter"))
    assert raised.value.code == "content_filter"


def test_a_wrong_key_is_an_authentication_error(app: App, upstream: Simulator) -> None:
    for make in MODELS.values():
        with pytest.raises(openai.AuthenticationError):
            make(app.url, "wrong", "/v1").invoke("hello")
    assert upstream.requests() == []


def test_leaving_a_stream_stops_the_model(pair: Pair, upstream: Simulator) -> None:
    stream = pair.app.stream(sim(tokens=500, interval=0.05))
    for _ in range(3):
        next(stream)
    getattr(stream, "close")()  # noqa: B009 - a generator, typed as an iterator
    ended(upstream, "client_gone", seconds=5)
