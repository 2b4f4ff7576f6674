"""Callers' limits as callers see them, on both APIs and in every format."""

import json

import pytest

from tests.harness.app import InProcessApp, play
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.upstream import Says, Script, refuses
from tests.worker.ways import WAYS

LIMITS = json.dumps({"*": {"tokens_per_minute": 5000, "requests_per_minute": 2, "streams": 2}})
SLOW = Says(words=["Hello", *[" you"] * 9], seconds_between=1.0)
EMBED = {"model": "gpt", "input": ["hello"]}


def limits(**values: int) -> str:
    return json.dumps({"*": values})


@cells("way", WAYS)
def test_a_caller_beyond_its_limit_is_refused_before_any_backend_is_asked(way: str) -> None:
    async def scene(app: InProcessApp) -> tuple[Received, int]:
        await app.ask(WAYS[way]).end()
        await app.ask(WAYS[way]).end()
        asked = sum(app.asked.values())
        refused = await app.ask(WAYS[way]).end()
        assert sum(app.asked.values()) == asked
        return refused, asked

    refused, asked = play(scene, CALLER_LIMITS=LIMITS)
    assert asked == 2
    assert (refused.status, refused.json["error"]["code"]) == (429, "caller_limit_exceeded")
    assert refused.json["error"]["message"] == "Your limit is 2 requests a minute."
    assert 0 < int(refused.headers["retry-after"]) <= 60


@cells("way", WAYS)
def test_every_answer_tells_the_callers_own_limit_and_the_accounts_under_another_name(way: str) -> None:
    async def scene(app: InProcessApp) -> Received:
        return await app.ask(WAYS[way]).end()

    headers = play(scene, CALLER_LIMITS=LIMITS).headers
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert headers["x-ratelimit-limit-tokens"] == "5000"


@cells("way", WAYS)
def test_an_answer_that_the_model_refuses_tells_the_callers_limits_too(way: str) -> None:
    async def scene(app: InProcessApp) -> Received:
        return await app.ask(WAYS[way]).end()

    received = play(scene, {"main": refuses(400)}, CALLER_LIMITS=LIMITS)
    assert (received.status, received.headers["x-ratelimit-remaining-requests"]) == (400, "1")


def test_who_leaves_while_no_model_is_asked_pays_no_tokens() -> None:
    body = {"model": "gpt", "messages": [{"role": "user", "content": "hi " * 1000}], "max_completion_tokens": 10}

    async def scene(app: InProcessApp) -> int:
        exchange = app.begin("/v1/chat/completions", body, caller=Caller(leaves_at=0.5))
        await exchange.end()
        assert exchange.received.receipt["ended"] == "client_left"
        return (await app.begin("/v1/chat/completions", body | {"max_completion_tokens": 4100}).end()).status

    busy = refuses(429, headers={"retry-after": "1"})
    assert play(scene, {"main": [busy, Says()]}, CALLER_LIMITS=limits(tokens_per_minute=5000)) == 200


def test_the_accounts_own_limits_are_not_taken_for_the_callers() -> None:
    says = Says(headers={"x-ratelimit-remaining-tokens": "77"})

    async def scene(app: InProcessApp) -> Received:
        return await app.ask(WAYS["openai chat"]).end()

    with_limit = play(scene, {"main": says}, CALLER_LIMITS=limits(requests_per_minute=9)).headers
    assert with_limit["x-upstream-ratelimit-remaining-tokens"] == "77"
    assert "x-ratelimit-remaining-tokens" not in with_limit
    assert play(scene, {"main": says}).headers["x-ratelimit-remaining-tokens"] == "77"


def test_a_stream_counts_while_it_is_open_and_no_longer() -> None:
    async def scene(app: InProcessApp) -> list[int]:
        one, two = app.ask(WAYS["chat sse"]), app.ask(WAYS["openai chat"], Caller(leaves_at=2))
        await two.end()
        three = app.ask(WAYS["chat text"])
        four = await app.ask(WAYS["chat ndjson"]).end()
        found = [(await one.end()).status, four.status, (await three.end()).status]
        return [*found, (await app.ask(WAYS["chat sse"]).end()).status]

    assert play(scene, {"main": SLOW}, CALLER_LIMITS=limits(streams=2)) == [200, 429, 200, 200]


def test_failing_over_costs_the_caller_one_answer() -> None:
    async def scene(app: InProcessApp) -> list[int]:
        return [(await app.ask(WAYS["openai chat"]).end()).status for _ in range(2)]

    scripts: dict[str, Script | list[Script]] = {"main": refuses(500), "second": Says()}
    assert play(scene, scripts, CALLER_LIMITS=limits(requests_per_minute=2)) == [200, 200]


def test_an_answer_that_nobody_gave_costs_no_tokens() -> None:
    async def scene(app: InProcessApp) -> list[int]:
        found = []
        for _ in range(3):
            body = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}], "max_completion_tokens": 4000}
            found.append((await app.begin("/v1/chat/completions", body).end()).status)
        return found

    assert play(scene, {"main": refuses(400)}, CALLER_LIMITS=limits(tokens_per_minute=5000)) == [400, 400, 400]


def test_shadow_mode_refuses_nobody_and_says_who_would_have_been(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(app: InProcessApp) -> list[int]:
        return [(await app.ask(WAYS["chat sse"]).end()).status for _ in range(3)]

    caplog.set_level("INFO", logger="shared.limits")
    found = play(scene, CALLER_LIMITS=limits(requests_per_minute=2), LIMITS_MODE="shadow")
    assert found == [200, 200, 200]
    assert "Would have been refused: caller anonymous, requests per minute" in caplog.text


def test_several_choices_multiply_what_is_reserved() -> None:
    async def scene(app: InProcessApp) -> list[int]:
        body = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1000}
        found = [await app.begin("/v1/chat/completions", body | {"n": n}).end() for n in (4, 5)]
        return [one.status for one in found]

    assert play(scene, CALLER_LIMITS=limits(tokens_per_minute=5000)) == [200, 429]


def test_other_callers_are_not_concerned() -> None:
    callers = json.dumps({"anonymous": {"requests_per_minute": 1}})

    async def scene(app: InProcessApp) -> list[int]:
        return [(await app.ask(WAYS["chat sse"]).end()).status for _ in range(2)]

    assert play(scene, CALLER_LIMITS=callers) == [200, 429]
    assert play(scene, CALLER_LIMITS=json.dumps({"somebody": {"requests_per_minute": 1}})) == [200, 200]
