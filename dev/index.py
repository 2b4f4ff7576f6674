"""Fill an index of a search service from a folder of Markdown and PDF files (`make index DOCS=…`).

Keyless: as whoever is signed in to the Azure CLI, who needs the roles Search Service Contributor and Search Index Data
Contributor. The index has the fields that the app expects (content, title, url) and the semantic configuration `default`.

With EMBEDDING, the name of a deployment at AZURE_OPENAI_ENDPOINT, it has the vector field `embedding` and a vectorizer, with
which the service embeds questions by itself: its own identity then needs the role Cognitive Services OpenAI User there.
Run again, it replaces what has changed and removes what is gone.
"""

import argparse
import asyncio
import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.search.documents.aio import SearchClient
from azure.search.documents.indexes.aio import SearchIndexClient
from azure.search.documents.indexes.models import (
    AzureOpenAIVectorizer,
    AzureOpenAIVectorizerParameters,
    HnswAlgorithmConfiguration,
    SearchableField,
    SearchField,
    SearchFieldDataType,
    SearchIndex,
    SemanticConfiguration,
    SemanticField,
    SemanticPrioritizedFields,
    SemanticSearch,
    SimpleField,
    VectorSearch,
    VectorSearchProfile,
)

from dev.simulator.search.documents import sections
from shared.config.search import search_endpoint
from shared.errors import Misconfigured
from shared.upstream.identity import make_credential

BATCH = 100
KINDS = {".md", ".markdown", ".pdf"}
OPENAI_SCOPE = "https://cognitiveservices.azure.com/.default"
LOOPBACK = {"enforce_https": False}
"""For the simulated service, whose address is this machine's; the settings allow plain http nowhere else."""

type Documents = list[dict[str, Any]]


def read_folder(folder: Path, base_url: str) -> Documents:
    """Return one document for each section of a Markdown file and each page of a PDF."""
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in KINDS and path.is_file()]
    return [document for path in paths for document in read_file(path, path.relative_to(folder).as_posix(), base_url)]


def read_file(path: Path, name: str, base_url: str) -> Iterator[dict[str, Any]]:
    """Yield the documents of one file. `base_url`: where the folder is published; '' for documents without a link."""
    url = f"{base_url.rstrip('/')}/{quote(name)}" if base_url else ""
    if path.suffix.lower() == ".pdf":
        yield from _pages(path, name, url)
        return
    for number, section in enumerate(sections(name, path.read_text("utf-8", errors="replace"), "")):
        anchor = str(section["url"]).partition("#")[2]
        yield _document(
            name, number, str(section["content"]), str(section["title"]), f"{url}#{anchor}" if url and anchor else url
        )


def _pages(path: Path, name: str, url: str) -> Iterator[dict[str, Any]]:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        for number, page in enumerate(PdfReader(path).pages, start=1):
            if text := page.extract_text().strip():
                yield _document(name, number, text, f"{name}, page {number}", f"{url}#page={number}" if url else "")
    except PyPdfError as error:
        print(f"{name} cannot be read and is left out: {error}", file=sys.stderr)


def _document(name: str, number: int, content: str, title: str, url: str) -> dict[str, Any]:
    """Return a document under a key that stays the same while its place does; a search key takes no slash and no dot."""
    key = f"{hashlib.sha256(name.encode()).hexdigest()[:32]}-{number}"
    return {"id": key, "content": content, "title": title, "url": url}


def index_definition(name: str, *, openai: str = "", embedding: str = "", dimensions: int = 0) -> SearchIndex:
    """Return the index; with a vector field where there is an embedding deployment."""
    fields: list[SearchField] = [
        SimpleField(name="id", type=SearchFieldDataType.STRING, key=True, filterable=True),
        SearchableField(name="content"),
        SearchableField(name="title"),
        SimpleField(name="url", type=SearchFieldDataType.STRING),
    ]
    vectors = None
    if embedding:
        kind = SearchFieldDataType.Collection(SearchFieldDataType.SINGLE)
        fields.append(
            SearchField(
                name="embedding",
                type=kind,
                searchable=True,
                vector_search_dimensions=dimensions,
                vector_search_profile_name="default",
            )
        )
        parameters = AzureOpenAIVectorizerParameters(
            resource_url=openai, deployment_name=embedding, model_name=embedding
        )
        vectors = VectorSearch(
            algorithms=[HnswAlgorithmConfiguration(name="default")],
            profiles=[
                VectorSearchProfile(name="default", algorithm_configuration_name="default", vectorizer_name="default")
            ],
            vectorizers=[AzureOpenAIVectorizer(vectorizer_name="default", parameters=parameters)],
        )
    ranked = SemanticPrioritizedFields(
        title_field=SemanticField(field_name="title"), content_fields=[SemanticField(field_name="content")]
    )
    semantic = SemanticSearch(configurations=[SemanticConfiguration(name="default", prioritized_fields=ranked)])
    return SearchIndex(name=name, fields=fields, semantic_search=semantic, vector_search=vectors)


class Embedder:
    """Embeds texts by a deployment of Azure OpenAI."""

    def __init__(self, openai: str, deployment: str, credential: Any) -> None:
        from openai import AsyncOpenAI

        async def token() -> str:
            return str((await credential.get_token(OPENAI_SCOPE)).token)

        self._client = AsyncOpenAI(base_url=f"{openai.rstrip('/')}/openai/v1/", api_key=token)
        self._deployment = deployment

    async def embed(self, documents: Documents) -> None:
        """Give each document its `embedding`."""
        texts = [str(document["content"]) for document in documents]
        answer = await self._client.embeddings.create(model=self._deployment, input=texts)
        for document, found in zip(documents, answer.data, strict=True):
            document["embedding"] = found.embedding

    async def close(self) -> None:
        await self._client.close()


async def fill(
    documents: Documents, *, endpoint: str, name: str, credential: Any, openai: str = "", embedding: str = ""
) -> int:
    """Make the index and fill it; return how many documents of an earlier run were removed. Raise `AzureError`."""
    async with AsyncExitStack() as stack:
        if embedding:
            embedder = Embedder(openai, embedding, credential)
            stack.push_async_callback(embedder.close)
            for batch in _batches(documents):
                await embedder.embed(batch)
        dimensions = len(documents[0]["embedding"]) if embedding and documents else 0
        definition = index_definition(name, openai=openai, embedding=embedding, dimensions=dimensions)
        indexes = await stack.enter_async_context(SearchIndexClient(endpoint, credential, **LOOPBACK))
        await indexes.create_or_update_index(definition, **LOOPBACK)
        client = await stack.enter_async_context(SearchClient(endpoint, name, credential, **LOOPBACK))
        old = {found["id"] async for found in await client.search("*", select=["id"], **LOOPBACK)}
        for batch in _batches(documents):
            await client.merge_or_upload_documents(batch, **LOOPBACK)
        gone = [{"id": key} for key in old - {document["id"] for document in documents}]
        for batch in _batches(gone):
            await client.delete_documents(batch, **LOOPBACK)
        return len(gone)


def _batches(documents: Documents) -> Iterable[Documents]:
    return [documents[start : start + BATCH] for start in range(0, len(documents), BATCH)]


async def _run(arguments: argparse.Namespace) -> str:
    documents = read_folder(arguments.docs, arguments.base_url)
    if not documents:
        return f"No Markdown or PDF file with text in {arguments.docs}: nothing was changed."
    is_managed = bool(os.environ.get("IDENTITY_ENDPOINT"))
    credential = make_credential(managed=is_managed, client_id=os.environ.get("AZURE_CLIENT_ID", ""))
    async with credential:
        removed = await fill(
            documents,
            endpoint=search_endpoint(arguments.endpoint),
            name=arguments.index,
            credential=credential,
            openai=arguments.openai,
            embedding=arguments.embedding,
        )
    return f"The index {arguments.index} has {len(documents)} documents of {arguments.docs}; {removed} were removed."


def main() -> int:
    """Fill the index that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m dev.index", description=__doc__)
    env = os.environ
    parser.add_argument("docs", type=Path, help="the folder")
    parser.add_argument("--endpoint", default=env.get("SEARCH_ENDPOINT", ""), help="of the search; SEARCH_ENDPOINT")
    parser.add_argument("--index", default=env.get("SEARCH_INDEX") or "docs", help="its name; SEARCH_INDEX, or docs")
    parser.add_argument("--base-url", default=env.get("BASE_URL", ""), help="where readers find the files; BASE_URL")
    parser.add_argument("--openai", default=env.get("AZURE_OPENAI_ENDPOINT", ""), help="AZURE_OPENAI_ENDPOINT")
    parser.add_argument("--embedding", default=env.get("EMBEDDING", ""), help="an embedding deployment; EMBEDDING")
    arguments = parser.parse_args()
    if not arguments.docs.is_dir():
        print(f"{arguments.docs} is no folder.", file=sys.stderr)
        return 2
    try:
        print(asyncio.run(_run(arguments)))
    except Misconfigured as problem:
        print(problem.operator_message, file=sys.stderr)
        return 2
    except ResourceNotFoundError:
        print(f"There is no search service, or no such index, at {arguments.endpoint}.", file=sys.stderr)
        return 1
    except AzureError as error:
        print(f"The search service refused: {error.message}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
