"""Retrieval from a knowledge base: its request and its answer. Pure.

https://learn.microsoft.com/rest/api/searchservice/knowledge-retrieval/retrieve. What is generally available takes
intents, which are searched for as they are, and answers with the passages as JSON in a text; where the knowledge base is set to
include it, the source data of each passage stands in `references`.
"""

from typing import Any

import msgspec

from shared.config.search import SearchTarget
from shared.errors import UpstreamMalformed
from shared.retrieval.passages import Passage, decode_object, objects_of, passage_of


def path(target: SearchTarget) -> str:
    """Return the path of the request."""
    return f"/knowledgebases('{target.knowledge_base}')/retrieve"


def request_body(target: SearchTarget, query: str) -> bytes:  # noqa: ARG001 - as of an index
    """Return the JSON of the request."""
    return msgspec.json.encode({"intents": [{"type": "semantic", "search": query}], "includeActivity": False})


def read(target: SearchTarget, data: bytes) -> list[Passage]:
    """Return the passages, the best first. Raise `UpstreamMalformed`."""
    answer = decode_object(data)
    known = {str(one.get("id")): one.get("sourceData") for one in objects_of(answer.get("references"))}
    documents = _extracted(answer) or [{"ref_id": key} for key, found in known.items() if isinstance(found, dict)]
    passages = []
    for document in documents:
        more = known.get(str(document.get("ref_id")))
        passages.append(passage_of({**(more if isinstance(more, dict) else {}), **document}, target.fields))
    return [passage for passage in passages if passage is not None][: target.top]


def _extracted(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the passages that the text of the answer lists."""
    messages = objects_of(answer.get("response"))
    contents = objects_of(messages[0].get("content")) if messages else []
    text = contents[0].get("text") if contents else None
    if not isinstance(text, str) or not text.strip():
        return []
    try:
        return objects_of(decode_object(b'{"passages":' + text.encode() + b"}").get("passages"))
    except UpstreamMalformed:
        return []
