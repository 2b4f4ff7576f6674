"""What an account says inside a 200, and what became of it: for the caller, and for the account. In-process, virtual time."""

import asyncio
from typing import Any

from tests.harness.app import GOOD, InProcessApp, ask_in, play
from tests.harness.cells import cells
from tests.harness.upstream import Says
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

FINISHED = Outcome("finished", words="Hello you")
APIS = ("chat", "responses", "completions")
STREAMED = [*STREAMS, *COLLECTED]
EVERY_CHAT_WAY = [name for name in STREAMED if WAYS[name].path.startswith(("/chat", "/stream"))]


def says(error: dict[str, Any], order: str = "error_only", **head: str) -> Says:
    return Says(words=(), then=lambda frames: frames.error({"message": "No.", **error}, order), headers=head)


def asked_twice(way: str, first: Says, **settings: str) -> tuple[Outcome, dict[str, int], Outcome]:
    """Ask with both accounts saying so, then again when they are well: who was asked, and what came of both."""

    async def scene(app: InProcessApp) -> tuple[Outcome, dict[str, int], Outcome]:
        told = WAYS[way].outcome((await app.ask(WAYS[way]).end()).seen)
        asked = app.asked
        again = WAYS[way].outcome((await app.ask(WAYS[way]).end()).seen)
        return told, asked, again

    return play(scene, {"main": [first, GOOD], "second": [first, GOOD]}, **settings)


ORDERS = ("failed_first", "error_first", "error_only", "flat error_only", "failed_only")
WITH_A_TYPE = ORDERS[:3]
"""A response's own error has no type, nor has a flat event one besides its own."""
THE_CALLERS_OWN = [
    *[
        ({"code": code}, order, 400)
        for code in ("failed_to_download_image", "invalid_image_url", "bio_policy")
        for order in ORDERS
    ],
    *[({"type": "external_connector_error", "code": "401"}, order, 424) for order in WITH_A_TYPE],
]


@cells("way", ["responses", "chat sse"])
@cells(("error", "order", "status"), THE_CALLERS_OWN)
def test_what_is_the_callers_own_is_a_4xx_once_and_no_account_is_paused(
    error: dict[str, Any], order: str, status: int, way: str
) -> None:
    told, asked, again = asked_twice(way, says(error, order), AZURE_OPENAI_API="responses")
    assert told == Outcome("refused", error["code"], status)
    assert (asked, again) == ({"main": 1}, FINISHED)


@cells("api", APIS)
@cells("way", EVERY_CHAT_WAY)
def test_every_format_and_every_api_upstream_tells_the_same_of_it(way: str, api: str) -> None:
    told, asked, again = asked_twice(way, says({"code": "invalid_image_url"}), AZURE_OPENAI_API=api)
    assert (told, asked, again) == (Outcome("refused", "invalid_image_url", 400), {"main": 1}, FINISHED)


@cells("way", ["responses", "openai chat", "completions", *EVERY_CHAT_WAY])
def test_a_tool_servers_401_says_nothing_of_this_apps_identity(way: str) -> None:
    error = {"type": "external_connector_error", "code": "401"}
    outcome, asked, received = ask_in(way, [says(error), GOOD])
    assert (outcome.status, outcome.code, asked) == (424, "401", {"main": 1})
    assert b"identity" not in received.body


@cells("order", ["failed_first", "error_first", "error_only"])
@cells("way", STREAMED)
def test_a_limit_inside_a_200_has_the_retry_after_of_its_head(way: str, order: str) -> None:
    limit = {"type": "too_many_requests", "code": "rate_limit_exceeded"}
    outcome, asked, received = ask_in(way, [says(limit, order, **{"retry-after": "17"})] * 2)
    assert outcome == Outcome("refused", "rate_limit_exceeded", 429)
    assert (asked, received.headers["retry-after"]) == ({"main": 1, "second": 1}, "17")


@cells("way", STREAMED)
@cells(("head", "seconds"), [({"retry-after": "17"}, 17.0), ({"retry-after-ms": "900", "retry-after": "17"}, 0.9)])
def test_an_account_at_its_limit_is_left_alone_for_as_long_as_its_head_says(
    way: str, head: dict[str, str], seconds: float
) -> None:
    async def scene(app: InProcessApp) -> list[tuple[float, str]]:
        for begins_at in (0.0, seconds - 0.1, seconds + 0.1):
            await asyncio.sleep(begins_at - asyncio.get_running_loop().time())
            assert WAYS[way].outcome((await app.ask(WAYS[way]).end()).seen) == FINISHED
        return [(asked.at, asked.backend) for asked in app.clients.asked]

    limited = says({"code": "rate_limit_exceeded"}, **head)
    asked = play(scene, {"main": [limited, GOOD], "second": GOOD})
    assert asked == [(0.0, "main"), (0.0, "second"), (seconds - 0.1, "second"), (seconds + 0.1, "main")]


@cells("way", STREAMS)
def test_after_content_the_callers_own_fault_is_an_honest_end_too(way: str) -> None:
    failing = Says(then=lambda frames: frames.error({"code": "content_filter", "message": "No."}, "error_only"))
    outcome, asked, _ = ask_in(way, [failing, GOOD])
    assert (outcome, asked) == (WAYS[way].broken("content_filter", "Hello you"), {"main": 1})
