"""The simulated search, held to Microsoft's own clients: what they ask for is answered in the form that they read."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("azure.search.documents", reason="azure-search-documents is not installed")
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.search.documents.aio import SearchClient
from azure.search.documents.indexes.aio import SearchIndexClient
from azure.search.documents.indexes.models import SearchableField, SearchFieldDataType, SearchIndex, SimpleField
from azure.search.documents.knowledgebases.aio import KnowledgeBaseRetrievalClient
from azure.search.documents.knowledgebases.models import (
    KnowledgeBaseRetrievalRequest,
    KnowledgeRetrievalSemanticIntent,
)
from azure.search.documents.models import VectorizableTextQuery

from dev.simulator.control import Simulator

SEARCH_AUDIENCE = "https://search.azure.com"
ONCE = {"retry_total": 0, "enforce_https": False}
"""Their own retries off, and plain http allowed: the address is this machine's."""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator.start() as running:
        yield running


@pytest.fixture(autouse=True)
def _usual_habits(simulator: Simulator) -> None:
    simulator.behave_search()


class Credential:
    """A token of the simulator's identity endpoint."""

    def __init__(self, simulator: Simulator, resource: str = SEARCH_AUDIENCE) -> None:
        self._token = simulator.token(resource)

    async def get_token(self, *scopes: str, **_options: Any) -> AccessToken:
        assert scopes == (f"{SEARCH_AUDIENCE}/.default",)
        return AccessToken(self._token, 2**31)

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""


def search(
    simulator: Simulator, case: Callable[[Any], Awaitable[Any]], *, index: str = "docs", resource: str = SEARCH_AUDIENCE
) -> Any:
    async def main() -> Any:
        async with SearchClient(simulator.search, index, Credential(simulator, resource), **ONCE) as client:
            return await case(client)

    return asyncio.run(main())


def found(simulator: Simulator, text: str, **options: Any) -> list[dict[str, Any]]:
    async def case(client: Any) -> list[dict[str, Any]]:
        return [document async for document in await client.search(text, **options, **ONCE)]

    documents: list[dict[str, Any]] = search(simulator, case)
    return documents


def test_the_client_for_searches_finds_this_project_s_documentation(simulator: Simulator) -> None:
    documents = found(simulator, "How are streams resumed?", top=3, select=["content", "title", "url"])
    assert len(documents) == 3
    assert all(document["@search.score"] > 0 for document in documents)
    assert documents == sorted(documents, key=lambda one: -one["@search.score"])
    assert any("stream" in document["content"].lower() for document in documents)
    assert all(document["url"].startswith(f"{simulator.search}/documents/") for document in documents)
    assert set(documents[0]) >= {"content", "title", "url"}
    assert "id" not in documents[0]


def test_it_ranks_captions_and_vectorizes_as_it_is_asked_to(simulator: Simulator) -> None:
    (document,) = found(
        simulator,
        "deadline of a body",
        top=1,
        query_type="semantic",
        semantic_configuration_name="default",
        query_caption="extractive",
        vector_queries=[VectorizableTextQuery(text="deadline", k_nearest_neighbors=50, fields="embedding")],
    )
    assert document["@search.reranker_score"] == 2.5
    assert document["@search.captions"][0].text


def test_nothing_is_found_where_nothing_is(simulator: Simulator) -> None:
    assert found(simulator, "xylophone quux") == []


@pytest.mark.parametrize(
    ("habit", "status"),
    [({"status": 429, "retry_after": 3}, 429), ({"status": 503}, 503), ({"status": 403}, 403)],
)
def test_its_refusals_are_errors_to_the_client(simulator: Simulator, habit: dict[str, Any], status: int) -> None:
    simulator.behave_search(habit)
    with pytest.raises(HttpResponseError) as caught:
        found(simulator, "deadline")
    assert caught.value.status_code == status
    assert found(simulator, "deadline")


def test_a_partial_answer_is_an_answer_to_the_client(simulator: Simulator) -> None:
    simulator.behave_search({"partial": True, "huge": True, "hostile": True})
    documents = found(simulator, "deadline")
    assert [len(document["content"]) > 100_000 for document in documents[:3]] == [False, True, False]


def test_a_token_for_something_else_is_not_taken(simulator: Simulator) -> None:
    async def case(client: Any) -> None:
        async for _ in await client.search("deadline", **ONCE):
            pass

    async def main() -> None:
        async with SearchClient(
            simulator.search, "docs", Credential(simulator, "https://ai.azure.com"), **ONCE
        ) as client:
            with pytest.raises(HttpResponseError) as caught:
                await case(client)
            assert caught.value.status_code == 401

    asyncio.run(main())


def test_the_clients_for_indexes_and_documents_fill_an_index(simulator: Simulator) -> None:
    index = SearchIndex(
        name="own",
        fields=[
            SimpleField(name="key", type=SearchFieldDataType.STRING, key=True),
            SearchableField(name="content"),
            SearchableField(name="title"),
        ],
    )

    async def main() -> list[Any]:
        credential = Credential(simulator)
        async with SearchIndexClient(simulator.search, credential, **ONCE) as indexes:
            with pytest.raises(ResourceNotFoundError):
                await indexes.get_index("own", **ONCE)
            await indexes.create_or_update_index(index, **ONCE)
            assert (await indexes.get_index("own", **ONCE)).fields[0].name == "key"
        async with SearchClient(simulator.search, "own", credential, **ONCE) as client:
            uploaded = await client.upload_documents(
                [{"key": "1", "content": "Grüße aus Wien", "title": "A"}, {"key": "2", "content": "b", "title": "B"}],
                **ONCE,
            )
            assert [result.succeeded for result in uploaded] == [True, True]
            await client.delete_documents([{"key": "2"}], **ONCE)
            assert await client.get_document_count(**ONCE) == 1
            return [one["title"] async for one in await client.search("wien grüße", **ONCE)]

    assert asyncio.run(main()) == ["A"]


def test_the_client_for_knowledge_bases_retrieves(simulator: Simulator) -> None:
    async def main() -> Any:
        client = KnowledgeBaseRetrievalClient(
            simulator.search, Credential(simulator), knowledge_base_name="docs", **ONCE
        )
        async with client:
            intents = [KnowledgeRetrievalSemanticIntent(search="deadline of a body")]
            return await client.retrieve(KnowledgeBaseRetrievalRequest(intents=intents, include_activity=True), **ONCE)

    answer = asyncio.run(main())
    listed = json.loads(answer.response[0].content[0].text)
    assert listed[0]["content"]
    assert str(listed[0]["ref_id"]) == answer.references[0].id
    assert answer.references[0].source_data["url"].startswith("http://")
    assert answer.activity[0].type == "searchIndex"
