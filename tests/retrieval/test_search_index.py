"""The request to an index, and its answer: the example of the REST reference, 2026-04-01, and everything that may be odd."""

import json
from dataclasses import replace
from typing import Any

from shared.retrieval import search_index
from tests.harness.cells import cells
from tests.retrieval.targets import INDEX


def body(query: str = "what waits", **changed: Any) -> Any:
    return json.loads(search_index.request_body(replace(INDEX, **changed), query))


def test_words_are_searched_for_in_the_fields_that_are_shown() -> None:
    assert search_index.path(INDEX) == "/indexes('docs')/docs/search.post.search"
    assert body() == {"search": "what waits", "top": 5, "select": "content,title,url"}
    assert body(fields=("text",), top=3) == {"search": "what waits", "top": 3, "select": "text"}


def test_the_operator_s_filter_goes_with_every_request() -> None:
    assert body(filter="public eq true")["filter"] == "public eq true"


def test_with_vector_fields_the_service_embeds_the_question_itself() -> None:
    assert body(vector_fields=("a", "b"))["vectorQueries"] == [
        {"kind": "text", "text": "what waits", "fields": "a,b", "k": 50}
    ]


def test_a_semantic_configuration_ranks_and_captions_and_may_fail_by_itself() -> None:
    found = body('a "quoted" -question', semantic_configuration="default")
    assert found["queryType"] == "semantic"
    assert found["semanticConfiguration"] == "default"
    assert (found["captions"], found["semanticErrorHandling"]) == ("extractive", "partial")
    assert found["search"] == 'a "quoted" -question'


@cells(
    ("question", "words"),
    [
        ("what does -v do?", "what does v do?"),
        ('"commit" + (deadline) | x\\', "commit deadline x"),
        ("self-hosted http* ~", "self-hosted http"),
        ("C++", "C"),
        ("-", "-"),
    ],
)
def test_a_question_is_words_and_no_syntax(question: str, words: str) -> None:
    assert body(question)["search"] == words


DOCUMENT = {
    "@search.score": 0.0156,
    "@search.rerankerScore": 1.71,
    "content": "hello",
    "title": "T",
    "url": "https://x",
}


def read(**answer: Any) -> list[tuple[str, str]]:
    return [(one.content, one.excerpt) for one in search_index.read(INDEX, json.dumps(answer).encode())]


def test_documents_come_in_the_order_of_the_search() -> None:
    second = {**DOCUMENT, "content": "again", "@search.captions": [{"text": "test10 hello.", "highlights": ""}]}
    assert read(**{"@odata.count": 27, "value": [DOCUMENT, second]}) == [("hello", "hello"), ("again", "test10 hello.")]


@cells(
    "answer",
    [{}, {"value": None}, {"value": []}, {"value": [5, None, {}]}, {"value": [{"content": None}]}, {"value": {"a": 1}}],
)
def test_an_answer_without_documents_is_no_failure(answer: Any) -> None:
    assert read(**answer) == []


def test_more_than_was_asked_for_is_not_taken() -> None:
    assert len(read(value=[DOCUMENT] * 9)) == 5


@cells("captions", [None, [], [{}], [{"text": None}], "x"])
def test_an_odd_caption_is_none(captions: Any) -> None:
    assert read(value=[{**DOCUMENT, "@search.captions": captions}]) == [("hello", "hello")]
