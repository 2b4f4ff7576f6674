"""What a model's name becomes, on OpenAI's paths and on Azure's. Nothing is sent: a call is prepared, or refused."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from starlette.requests import Request

from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.errors import AnswerError, ErrorObject, UpstreamErrorResponse, UpstreamFailure
from shared.http.context import RequestContext
from shared.openai_api.exchange import InferenceExchange
from shared.openai_api.paths import Inference, find_address
from shared.openai_api.response_ids import ResponseIds
from shared.receipt import Receipt
from shared.state.file_keys import FileKeyStore
from shared.state.signing_key import KeyRing
from shared.upstream.attempts import Upstream
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.client import OpenAIClients
from shared.upstream.pool import BackendPool
from tests.harness.cells import cells

ACCOUNT = {"name": "east", "endpoint": "https://e.openai.azure.com", "deployments": {"gpt": "gpt-east"}}
DECIDED_BY = {
    "AZURE_OPENAI_MODELS": {
        "AZURE_OPENAI_ENDPOINT": "https://e.openai.azure.com",
        "AZURE_OPENAI_MODELS": "gpt=gpt-east",
    },
    "the backends' deployments": {"AZURE_OPENAI_BACKENDS": json.dumps([ACCOUNT])},
}


def exchange_at(path: str, env: Mapping[str, str]) -> InferenceExchange:
    settings = Settings.from_env(env)
    address = find_address(path)
    assert isinstance(address, Inference)
    request = Request({"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []})
    return InferenceExchange(
        settings=settings,
        upstream=Upstream(OpenAIClients(settings), BackendPool(settings.backends), settings),
        context=RequestContext.of(request, "i", {}),
        receipt=Receipt(id="r", invocation_id="i", api="openai"),
        ids=ResponseIds(KeyRing(FileKeyStore), settings.backends, ""),
        headers_up={},
        address=address,
    )


def prepared(env: Mapping[str, str], path: str, model: str | None) -> Receipt:
    """The receipt of a call that has been prepared. Raise what the caller gets instead."""
    exchange = exchange_at(path, env)
    body = json.dumps({"messages": []} if model is None else {"messages": [], "model": model}).encode()

    async def prepare() -> None:
        exchange.prepare(body)

    asyncio.run(prepare())
    return exchange.receipt


@cells("env", DECIDED_BY.values(), ids=DECIDED_BY)
@cells(
    ("path", "model", "code"),
    [
        ("/v1/chat/completions", "nope", "model_not_found"),
        ("/openai/v1/responses", "nope", "model_not_found"),
        ("/openai/responses", "nope", "DeploymentNotFound"),
        ("/openai/deployments/nope/chat/completions", None, "DeploymentNotFound"),
        ("/openai/deployments/nope/embeddings", "gpt", "DeploymentNotFound"),
    ],
)
def test_a_missing_model_is_a_deployment_on_azures_paths_whatever_decides_which_exist(
    env: Mapping[str, str], path: str, model: str | None, code: str
) -> None:
    assert prepared(env, path.replace("nope", "gpt"), "gpt").model in ("gpt", "gpt-east")
    with pytest.raises(AnswerError, match="'nope'") as caught:
        prepared(env, path, model)
    assert (caught.value.status, caught.value.code, caught.value.param) == (404, code, "model")


class Recording:
    """Stands in for the clients: keeps the body that would go up, and fails."""

    def __init__(self) -> None:
        self.body: bytes | None = None

    async def load(self) -> None:
        """Nothing is slow."""

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        self.body = call.body(backend, deployment)
        raise UpstreamFailure("none")

    async def aclose(self) -> None:
        """Nothing is open."""


@cells("env", DECIDED_BY.values(), ids=DECIDED_BY)
def test_where_models_are_listed_no_second_model_goes_up(env: Mapping[str, str]) -> None:
    same = {name: value.replace("gpt-east", "gpt") for name, value in env.items()}  # no name is to be translated
    clients, settings = Recording(), Settings.from_env(same)
    upstream = Upstream(clients, BackendPool(settings.backends), settings)
    exchange = replace(exchange_at("/v1/embeddings", same), upstream=upstream)

    async def ask() -> None:
        with pytest.raises(UpstreamFailure):
            await exchange.prepare(b'{"model":"another","model":"gpt"}').begin()

    asyncio.run(ask())
    assert clients.body == b'{"model":"gpt"}'


@cells("path", ["/v1/embeddings", "/openai/v1/chat/completions", "/openai/responses"])
def test_a_model_with_a_lone_surrogate_is_a_400_and_never_reaches_the_receipt(path: str) -> None:
    with pytest.raises(AnswerError) as caught:
        prepared({"AZURE_OPENAI_ENDPOINT": "https://e.openai.azure.com"}, path, "\ud800")
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "invalid_request", "model")


@cells(
    ("headers", "shown"),
    [({"content-type": "text/html"}, "text/html"), ({"retry-after": "3"}, "application/octet-stream")],
)
def test_an_upstreams_own_error_keeps_its_body_and_its_type(headers: dict[str, str], shown: str) -> None:
    error = UpstreamErrorResponse(status=429, error=ErrorObject("m", "t", "c"), raw_body=b"<p>", headers=headers)
    page = exchange_at("/v1/embeddings", DECIDED_BY["AZURE_OPENAI_MODELS"]).error_page(error)
    assert (page.status, page.body, page.headers["content-type"]) == (429, b"<p>", shown)
    assert page.headers.get("retry-after") == headers.get("retry-after")
