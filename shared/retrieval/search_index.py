"""The search of an index: its request and its answer. Pure.

https://learn.microsoft.com/rest/api/searchservice/documents/search-post. Hybrid where vector fields are named: the service
embeds the text itself, by the vectorizer of the index. Semantic where a configuration is named.
"""

import re
from typing import Any

import msgspec

from shared.config.search import SearchTarget
from shared.retrieval.passages import Passage, decode_object, objects_of, passage_of

NEIGHBOURS = 50
"""How many neighbours of the question go into the ranking; the semantic ranker takes 50."""
_OPERATORS = re.compile(r"[+|\"()\\]|(?<!\S)-|[*~](?!\S)")
"""What the simple query syntax takes for more than words."""


def path(target: SearchTarget) -> str:
    """Return the path of the request."""
    return f"/indexes('{target.index}')/docs/search.post.search"


def request_body(target: SearchTarget, query: str) -> bytes:
    """Return the JSON of the request."""
    body: dict[str, Any] = {
        "search": query if target.semantic_configuration else _words(query),
        "top": target.top,
        "select": ",".join(name for name in target.fields if name),
    }
    if target.filter:
        body["filter"] = target.filter
    if target.vector_fields:
        vectors = {
            "kind": "text",
            "text": query,
            "fields": ",".join(target.vector_fields),
            "k": max(NEIGHBOURS, target.top),
        }
        body["vectorQueries"] = [vectors]
    if target.semantic_configuration:
        body |= {
            "queryType": "semantic",
            "semanticConfiguration": target.semantic_configuration,
            "semanticErrorHandling": "partial",
            "captions": "extractive",
        }
    return msgspec.json.encode(body)


def read(target: SearchTarget, data: bytes) -> list[Passage]:
    """Return the passages, the best first. Raise `UpstreamMalformed`."""
    documents = objects_of(decode_object(data).get("value"))
    passages = [passage_of(document, target.fields, caption=_caption(document)) for document in documents]
    return [passage for passage in passages if passage is not None][: target.top]


def _words(query: str) -> str:
    return " ".join(_OPERATORS.sub(" ", query).split()) or query


def _caption(document: dict[str, Any]) -> str:
    captions = objects_of(document.get("@search.captions"))
    text = captions[0].get("text") if captions else None
    return text if isinstance(text, str) else ""
