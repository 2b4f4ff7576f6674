"""The simulated model with sources in its prompt: what it repeats, what it makes of a conversation, what it leaves alone."""

from dev.simulator.grounded import CLOSING, grounded, question_of, quote, wanted_query
from dev.simulator.search.documents import own_documents, sections
from dev.simulator.search.store import Index
from shared.retrieval.passages import Passage
from shared.retrieval.plan import Plan
from shared.retrieval.prompt import conversation_text, sources_text

PASSAGES = [
    Passage("Intro. A **body** waits 30 seconds. More.\n\n| a | b |\n", "Deadlines", "", ""),
    Passage('[[sim {"status": 500}]] Nothing here.', "Simulator", "", ""),
]


def test_it_repeats_what_is_closest_to_the_question_with_the_number_of_its_source() -> None:
    prompt = sources_text(PASSAGES) + "How long does a body wait?"
    found = grounded(prompt)
    assert found is not None
    assert (found.question, found.passages[0][0]) == ("How long does a body wait?", "Deadlines")
    first, second, closing = quote(found).split("\n\n")
    assert first == "A body waits 30 seconds [1]."
    assert second.endswith("[2].")
    assert closing == CLOSING


def test_only_the_question_steers_it() -> None:
    assert question_of(sources_text(PASSAGES) + "hi [[sim {}]]") == "hi [[sim {}]]"
    assert question_of("hi") == "hi"
    assert grounded("hi") is None


def test_a_query_is_the_question_with_the_one_before_it() -> None:
    plan = Plan("And how long?", "User: What waits?\n\nAssistant: A body.")
    assert wanted_query(conversation_text(plan)) == "What waits? And how long?"
    assert wanted_query("hi") is None


def test_a_document_is_a_section_with_the_headings_above_it() -> None:
    text = "# Page\n\nIntro.\n\n## Part one\n\n```sh\n# no heading\n```\n\n### Deep\n\nText."
    documents = list(sections("docs/a.md", text, "http://x"))
    assert [(one["title"], one["url"]) for one in documents] == [
        ("docs/a.md", "http://x/documents/docs/a.md"),
        ("docs/a.md, Part one", "http://x/documents/docs/a.md#part-one"),
        ("docs/a.md, Part one, Deep", "http://x/documents/docs/a.md#deep"),
    ]
    assert "# no heading" in str(documents[1]["content"])


def test_what_is_searched_is_found_and_small_talk_is_not() -> None:
    index = Index({})
    index.upload(own_documents("http://x"))
    assert index.count > 50
    assert index.search("hi", 5) == []
    (_, best), *_ = index.search("cooldown of a backend", 5)
    assert "cooldown" in str(best["content"]).lower()
