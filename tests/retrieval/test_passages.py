"""Passages out of documents that nobody vouches for: their text, their bounds, their links."""

from typing import Any

import pytest

from shared.errors import UpstreamMalformed
from shared.events import Source
from shared.retrieval.passages import Passage, decode_object, objects_of, passage_of, source_of
from tests.harness.cells import cells

FIELDS = ("content", "title", "url")


def test_a_document_is_its_content_its_title_and_its_link() -> None:
    document = {"content": " A body\nwaits. ", "title": " Dead\nlines ", "url": "https://x/d", "@search.score": 1.5}
    assert passage_of(document, FIELDS) == Passage("A body\nwaits.", "Dead lines", "https://x/d", "A body waits.")


def test_the_search_s_own_caption_is_what_a_reader_sees() -> None:
    found = passage_of({"content": "long text"}, ("content",), caption="the  caption")
    assert found == Passage("long text", "", "", "the caption")


@cells("content", [None, "", " \n", 5, ["text"], {"text": "a"}])
def test_a_document_without_text_is_no_passage(content: Any) -> None:
    assert passage_of({"content": content, "title": "T"}, FIELDS) is None


def test_a_passage_that_is_too_large_is_cut() -> None:
    found = passage_of({"content": "x" * 1_000_000, "title": "t" * 1000}, FIELDS)
    assert found is not None
    assert (len(found.content), len(found.title), len(found.excerpt)) == (8000, 300, 500)
    assert found.content.endswith("x …")


@cells("url", ["javascript:alert(1)", "/relative", None, 5, "https://x/ <b>", "https://u:p@x"])
def test_only_an_address_of_the_web_is_a_link(url: Any) -> None:
    found = passage_of({"content": "a", "title": 5, "url": url}, FIELDS)
    assert found == Passage("a", "", "", "a")


def test_a_source_has_the_number_that_the_model_is_given() -> None:
    assert source_of(2, Passage("c", "T", "https://x", "e")) == Source("2", "T", "https://x", "e")
    assert source_of(2, Passage("c", "", "", "e")) == Source("2", "Passage 2", "", "e")


@cells("data", [b"", b"[]", b"nope", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_not_an_object_is_malformed(data: bytes) -> None:
    with pytest.raises(UpstreamMalformed):
        decode_object(data)


def test_half_a_character_is_no_reason_to_fail() -> None:
    assert decode_object(b'{"value": "a\\ud800"}') == {"value": "a\ufffd"}


def test_what_is_no_list_of_objects_holds_none() -> None:
    assert objects_of([{"a": 1}, 5, None]) == [{"a": 1}]
    assert objects_of(None) == objects_of({"a": 1}) == objects_of("x") == []
