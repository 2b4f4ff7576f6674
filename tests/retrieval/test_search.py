"""One search in virtual time: once more where that helps, within its deadline, and a log that says whose fault it was."""

import asyncio
import logging
from typing import Any

import pytest

from shared.config.settings import Settings
from shared.errors import (
    OutOfResources,
    UpstreamCut,
    UpstreamErrorResponse,
    UpstreamFailure,
    UpstreamMalformed,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from shared.retrieval.search import Search
from shared.upstream.errors import error_from_status
from tests.harness.cells import cells
from tests.harness.search import GUIDE, SEARCH, Reply, ScriptedSearch, found
from tests.harness.upstream import FOREVER
from tests.harness.virtual_time import run

GOOD = found(GUIDE)


def refusal(status: int, **headers: str) -> UpstreamErrorResponse:
    body = b'{"error":{"code":"","message":"SECRET words of the service"}}'
    return error_from_status(status, {"content-type": "application/json", **headers}, body)


def search(*replies: Any, **settings: str) -> tuple[list[str] | UpstreamFailure, list[float]]:
    """The titles that were found or the failure, and when the service was asked."""
    service = ScriptedSearch()
    service.script(*replies)
    read = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **SEARCH, **settings})
    assert read.search is not None
    target = read.search

    async def main() -> list[str] | UpstreamFailure:
        try:
            return [passage.title for passage in await Search(service, read, target).find("what waits")]
        except UpstreamFailure as failure:
            return failure

    outcome = run(main())
    assert service.under_way == 0
    return outcome, [at for at, _, _ in service.asked]


def test_what_is_found_is_returned_at_once() -> None:
    assert search(GOOD) == (["Guide"], [0.0])


@cells(
    ("failure", "again_at"),
    [
        (UpstreamUnreachable("no"), 0.1),
        (refusal(429, **{"retry-after": "2"}), 2.0),
        (refusal(503, **{"retry-after-ms": "500"}), 0.5),
    ],
)
def test_it_is_asked_once_more_where_it_said_when_or_said_nothing_at_all(failure: Exception, again_at: float) -> None:
    assert search(failure, GOOD) == (["Guide"], [0.0, again_at])
    outcome, asked = search(failure)
    assert isinstance(outcome, UpstreamFailure)
    assert asked == [0.0, again_at]


@cells(
    "failure",
    [
        refusal(503),
        refusal(400),
        refusal(404),
        refusal(429, **{"retry-after": "30"}),
        UpstreamCut("half"),
        UpstreamMalformed("odd"),
    ],
)
def test_it_is_not_asked_again_where_nothing_says_that_this_would_help(failure: Exception) -> None:
    assert search(failure, GOOD) == (failure, [0.0])


def test_it_is_not_asked_again_after_its_deadline() -> None:
    outcome, asked = search(refusal(429, **{"retry-after": "2"}), GOOD, SEARCH_SECONDS="1.5")
    assert isinstance(outcome, UpstreamErrorResponse)
    assert asked == [0.0]


@cells("replies", [([FOREVER],), ([5.0, UpstreamUnreachable("no")], [FOREVER]), ([20.0, GOOD],)])
def test_a_search_that_says_nothing_is_given_up(replies: tuple[list[Reply], ...]) -> None:
    service = ScriptedSearch()
    service.script(*replies)
    read = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **SEARCH})
    assert read.search is not None
    target = read.search

    async def main() -> float:
        with pytest.raises(UpstreamTimeout):
            await Search(service, read, target).find("what waits")
        return asyncio.get_running_loop().time()

    assert run(main()) == 10.0
    assert service.under_way == 0


def test_what_is_not_the_service_s_fault_passes_as_it_is() -> None:
    with pytest.raises(OutOfResources):
        search(OutOfResources("no file descriptors"))


def test_what_is_no_answer_is_a_failure() -> None:
    outcome, _ = search(b"<html>")
    assert isinstance(outcome, UpstreamMalformed)


@pytest.mark.parametrize(
    ("reply", "level", "words"),
    [
        (refusal(403), logging.ERROR, "answered 403: this app's identity needs the role Search Index Data Reader"),
        (refusal(401), logging.ERROR, "answered 401: this app's identity needs the role Search Index Data Reader"),
        (refusal(503), logging.WARNING, "The search failed: 'upstream_failed' (503 application/json)"),
        ([FOREVER], logging.WARNING, "The search failed: 'upstream_timeout' (no answer within 10 s)"),
        (b"[]", logging.WARNING, "The search failed: 'upstream_malformed' (not a JSON object)"),
    ],
)
def test_the_log_says_what_failed_and_nothing_of_what_was_asked_or_answered(
    caplog: pytest.LogCaptureFixture, reply: Any, level: int, words: str
) -> None:
    with caplog.at_level(logging.INFO):
        search(reply)
    (record,) = [record for record in caplog.records if record.name == "shared.retrieval.search"]
    assert record.levelno == level
    assert words in record.getMessage()
    assert "what waits" not in caplog.text
    assert "SECRET" not in caplog.text


def test_a_knowledge_base_is_asked_where_one_is_named() -> None:
    service = ScriptedSearch()
    service.script(b'{"references":[{"id":"0","sourceData":{"content":"a","title":"T"}}]}')
    settings = {**SEARCH, "SEARCH_INDEX": "", "SEARCH_KNOWLEDGE_BASE": "kb"}
    read = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **settings})
    assert read.search is not None
    target = read.search
    (passage,) = run(Search(service, read, target).find("what waits"))
    assert passage.title == "T"
    assert service.asked[0][1] == "/knowledgebases('kb')/retrieve"
    assert service.query == "what waits"
