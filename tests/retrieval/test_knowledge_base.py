"""The request to a knowledge base, and its answer: the example of the REST reference, 2026-04-01, and what may be odd."""

import json
from typing import Any

from shared.retrieval import knowledge_base
from shared.retrieval.passages import Passage
from tests.harness.cells import cells
from tests.retrieval.targets import KNOWLEDGE_BASE

REFERENCES = [
    {
        "type": "searchIndex",
        "id": "83dd7d40",
        "activitySource": 0,
        "sourceData": {"id": "myDocKey1", "title": "high_doc", "content": "hello world", "url": "https://x/1"},
        "rerankerScore": 3.5,
        "docKey": "myDocKey1",
    },
    {"type": "searchIndex", "id": "83dd7d41", "activitySource": 0, "sourceData": None, "docKey": "myDocKey2"},
]


def read(text: str | None, references: Any = None) -> list[Passage]:
    response = [{"role": "assistant", "content": [{"type": "text", "text": text}]}]
    answer = {"response": response, "activity": [], "references": references}
    return knowledge_base.read(KNOWLEDGE_BASE, json.dumps(answer).encode())


def test_the_question_is_an_intent() -> None:
    assert knowledge_base.path(KNOWLEDGE_BASE) == "/knowledgebases('kb')/retrieve"
    assert json.loads(knowledge_base.request_body(KNOWLEDGE_BASE, "what waits")) == {
        "intents": [{"type": "semantic", "search": "what waits"}],
        "includeActivity": False,
    }


def test_passages_are_in_the_text_and_their_links_in_the_references() -> None:
    listed = [
        {"ref_id": "83dd7d40", "title": "high_doc", "content": "hello"},
        {"ref_id": "83dd7d41", "title": "low_doc", "terms": "…", "content": "goodbye"},
    ]
    assert read(json.dumps(listed), REFERENCES) == [
        Passage("hello", "high_doc", "https://x/1", "hello"),
        Passage("goodbye", "low_doc", "", "goodbye"),
    ]


@cells("text", [None, "", "[{...}]", "I don't know.", "{}", "[]"])
def test_without_such_a_text_the_source_data_will_do(text: str | None) -> None:
    assert read(text, REFERENCES) == [Passage("hello world", "high_doc", "https://x/1", "hello world")]


@cells(
    "answer",
    [{}, {"response": []}, {"response": [{}]}, {"response": [{"content": [{"text": 5}]}], "references": 5},
     {"references": [{"id": 0}]}, {"references": [None]}],
)  # fmt: skip
def test_an_answer_without_passages_is_no_failure(answer: Any) -> None:
    assert knowledge_base.read(KNOWLEDGE_BASE, json.dumps(answer).encode()) == []


def test_more_than_was_asked_for_is_not_taken() -> None:
    assert len(read(json.dumps([{"ref_id": number, "content": "a"} for number in range(200)]))) == 5
