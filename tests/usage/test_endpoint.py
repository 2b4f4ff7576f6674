"""What callers use, as it is noted while they ask in every way, and told at /usage."""

import asyncio
import csv
import hashlib
import io
import json
from typing import Any

import pytest

from shared.limits.store import StoreError
from tests.harness.app import InProcessApp, play
from tests.harness.caller import Caller, Received
from tests.harness.search import SEARCH
from tests.harness.upstream import Says, refuses
from tests.worker.ways import WAYS

KEYS = {
    "AUTH_MODE": "keys",
    "CALLER_KEYS": ",".join(
        f"{name}=sha256:{hashlib.sha256(f'key-of-{name}-0123456789'.encode()).hexdigest()}"
        for name in ("alice", "bob", "boss")
    ),
}
SLOW = Says(words=["Hello", *[" you"] * 9], seconds_between=1.0, seconds_to_content=0.9)
ON = {"OPERATORS": "boss"}


def key(name: str) -> dict[str, str]:
    return {"api-key": f"key-of-{name}-0123456789"}


async def usage(app: InProcessApp, query: str = "", **headers: str) -> Received:
    return await app.begin(f"/usage{query}", b"", method="GET", headers=headers).end()


async def ask(app: InProcessApp, name: str, **body: Any) -> Received:
    path = "/v1/chat/completions"
    asked = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}], **body}
    return await app.begin(path, asked, headers=key(name)).end()


@pytest.mark.parametrize("way", WAYS)
def test_a_finished_answer_is_noted_as_the_model_reported_it(way: str) -> None:
    async def scene(app: InProcessApp) -> tuple[Received, Received]:
        return await app.ask(WAYS[way]).end(), await usage(app)

    answer, found = play(scene, OPERATORS="nobody")
    (row,) = found.json["rows"]
    tokens = answer.receipt["tokens"]
    assert tokens["input"] > 0
    assert (row["caller"], row["model"], row["day"], row["answers"]) == ("anonymous", "gpt", "2026-11-27", 1)
    assert (row["input_tokens"], row["output_tokens"]) == (tokens["input"], tokens["output"])
    assert (row["estimated_answers"], row["estimated_tokens"]) == (0, 0)


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_that_was_left_is_noted_by_what_was_seen_of_it_and_as_an_estimate(way: str) -> None:
    is_whole = way.endswith("whole")

    async def scene(app: InProcessApp) -> tuple[Received, Received]:
        left = await app.ask(WAYS[way], Caller(leaves_at=0.5 if is_whole else 3.5)).end()
        return left, await usage(app)

    left, found = play(scene, {"main": SLOW}, OPERATORS="nobody")
    (row,) = found.json["rows"]
    assert left.receipt["ended"] == "client_left"
    assert (row["answers"], row["estimated_answers"]) == (1, 1)
    assert row["output_tokens"] == left.receipt["chunks"]
    assert row["input_tokens"] > 0
    assert row["estimated_tokens"] == row["input_tokens"] + row["output_tokens"]
    assert row["output_tokens"] == (0 if is_whole else 3)


@pytest.mark.parametrize("way", [name for name in WAYS if not name.endswith("whole") and "json" not in name])
def test_what_has_arrived_of_a_left_answer_counts_although_nobody_was_sent_it(way: str) -> None:
    async def scene(app: InProcessApp) -> list[Received]:
        left = await app.ask(WAYS[way], Caller(reads_writes=2, leaves_at=3.5)).end()
        cut = await app.ask(WAYS[way], Caller(reads_writes=2, leaves_at=3.5)).end()
        return [left, cut, await usage(app)]

    whole, endless = Says(words=["Hello", *[" you"] * 9]), Says(words=["Hello", *[" you"] * 9], then=lambda _: [60.0])
    left, cut, told = play(scene, {"main": [whole, endless]}, OPERATORS="nobody")
    assert [left.receipt["ended"], cut.receipt["ended"]] == ["client_left"] * 2
    reported = left.receipt["tokens"]["output"]
    assert (cut.receipt["tokens"], cut.receipt["chunks"]) == ("unknown", 10)
    (row,) = told.json["rows"]
    assert (row["answers"], row["estimated_answers"], row["output_tokens"]) == (2, 1, reported + 10)


def test_the_prompt_of_a_left_answer_is_estimated_from_those_that_the_model_has_counted() -> None:
    async def scene(app: InProcessApp) -> list[Any]:
        finished = await app.ask(WAYS["openai chat"]).end()
        await app.ask(WAYS["openai chat"], Caller(leaves_at=0.5)).end()
        (row,) = (await usage(app)).json["rows"]
        return [finished.receipt["tokens"]["input"], row["input_tokens"]]

    counted, both = play(scene, {"main": [Says(), SLOW]}, OPERATORS="nobody")
    assert both == 2 * counted


TURNS = [
    {"role": "user", "content": "What waits?"},
    {"role": "assistant", "content": "A body."},
    {"role": "user", "content": "And how long?"},
]


def test_the_query_that_a_model_writes_for_a_search_is_the_callers_and_no_answer() -> None:
    async def scene(app: InProcessApp) -> list[Any]:
        answer = await app.begin("/chat", {"messages": TURNS}, headers={"accept": "text/event-stream"}).end()
        refused = await app.begin("/chat", {"messages": TURNS}).end()
        return [answer, refused, (await usage(app)).json]

    rewriting = Says(words=("how long", " a body waits"))
    limits = json.dumps({"*": {"tokens_per_day": 1300}})
    answer, refused, told = play(
        scene, {"main": [rewriting, Says(), rewriting, refuses(400)]}, CALLER_LIMITS=limits, **SEARCH
    )
    own, aside = answer.receipt["tokens"], answer.receipt["retrieval"]["rewriting_tokens"]
    (row,) = told["rows"]
    assert refused.receipt["ended"] == "400"
    assert row["answers"] == 1
    assert row["input_tokens"] == own["input"] + 2 * aside["input"]
    assert row["output_tokens"] == own["output"] + 2 * aside["output"]
    assert row["estimated_tokens"] == 0
    assert told["limits"][0]["left"] == 1300 - row["input_tokens"] - row["output_tokens"]


def test_a_query_that_was_abandoned_is_an_estimate() -> None:
    async def scene(app: InProcessApp) -> Received:
        left = await app.begin("/chat", {"messages": TURNS}, caller=Caller(leaves_at=2.5)).end()
        assert left.receipt["ended"] == "client_left"
        return await usage(app)

    (row,) = play(scene, {"main": SLOW}, OPERATORS="nobody", **SEARCH).json["rows"]
    assert (row["answers"], row["output_tokens"]) == (0, 2)
    assert row["estimated_tokens"] == row["input_tokens"] + row["output_tokens"]
    assert row["input_tokens"] > 20


def test_what_no_model_answered_is_not_noted() -> None:
    async def scene(app: InProcessApp) -> Received:
        await app.ask(WAYS["openai chat"]).end()
        await app.begin("/v1/chat/completions", {"model": "gpt"}).end()
        return await usage(app)

    assert play(scene, {"main": refuses(400)}, OPERATORS="nobody").json["rows"] == []


def test_failing_over_is_one_answer() -> None:
    async def scene(app: InProcessApp) -> Received:
        await app.ask(WAYS["openai chat"]).end()
        return await usage(app)

    (row,) = play(scene, {"main": refuses(500), "second": Says()}, OPERATORS="nobody").json["rows"]
    assert row["answers"] == 1


def test_a_caller_sees_its_own_use_and_an_operator_that_of_all() -> None:
    async def scene(app: InProcessApp) -> list[Received]:
        await ask(app, "alice")
        await ask(app, "alice")
        await ask(app, "bob")
        return [await usage(app, **key(name)) for name in ("alice", "boss")]

    own, every = play(scene, None, **KEYS, **ON)
    assert [(row["caller"], row["answers"]) for row in own.json["rows"]] == [("alice", 2)]
    assert (own.json["caller"], own.json["callers"], own.json["limits"]) == ("alice", "own", [])
    assert [(row["caller"], row["answers"]) for row in every.json["rows"]] == [("alice", 2), ("bob", 1)]
    assert every.json["callers"] == "all"
    assert own.headers["cache-control"] == "no-store"


def test_what_is_left_of_each_limit_is_told_over_all_that_is_under_way() -> None:
    limits = {"CALLER_LIMITS": json.dumps({"*": {"requests_per_minute": 9, "tokens_per_day": 5000, "streams": 3}})}

    async def scene(app: InProcessApp) -> list[Received]:
        before = await usage(app)
        await app.ask(WAYS["openai chat"]).end()
        open_stream = app.ask(WAYS["openai chat"], Caller())
        await asyncio.sleep(2)
        during = await usage(app)
        await open_stream.end()
        await asyncio.sleep(10)
        return [before, during, await usage(app)]

    before, during, after = play(scene, {"main": [Says(), SLOW]}, **limits)
    left = [{one["unit"]: one["left"] for one in found.json["limits"]} for found in (before, during, after)]
    assert left[0] == {"streams": 3, "requests": 9, "tokens": 5000}
    assert (left[1]["streams"], left[1]["requests"]) == (2, 7)
    assert left[1]["tokens"] < left[2]["tokens"] < 5000
    (row,) = after.json["rows"]
    assert left[2] == {"streams": 3, "requests": 7, "tokens": 5000 - row["input_tokens"] - row["output_tokens"]}


def test_a_caller_without_limits_is_recorded_and_still_sees_the_accounts_own() -> None:
    says = Says(headers={"x-ratelimit-remaining-tokens": "77"})

    async def scene(app: InProcessApp) -> Received:
        return await app.ask(WAYS["openai chat"]).end()

    assert play(scene, {"main": says}, **ON).headers["x-ratelimit-remaining-tokens"] == "77"


def test_csv_is_for_who_asks_for_it() -> None:
    async def scene(app: InProcessApp) -> list[Received]:
        await app.ask(WAYS["openai chat"]).end()
        return [await usage(app, "?format=csv"), await usage(app, accept="text/csv")]

    prices = json.dumps({"gpt": {"input": 1, "output": 2}})
    for found in play(scene, OPERATORS="nobody", PRICES=prices):
        assert found.headers["content-type"] == "text/csv; charset=utf-8"
        (row,) = csv.DictReader(io.StringIO(found.body.decode()))
        assert (row["caller"], row["answers"]) == ("anonymous", "1")
        assert float(row["cost"]) == (int(row["input_tokens"]) + 2 * int(row["output_tokens"])) / 1e6


def test_other_days_are_not_in_it() -> None:
    async def scene(app: InProcessApp) -> list[Received]:
        await app.ask(WAYS["openai chat"]).end()
        return [await usage(app, "?to=2026-11-26"), await usage(app, "?from=2026-11-27")]

    assert [len(found.json["rows"]) for found in play(scene, OPERATORS="nobody")] == [0, 1]


@pytest.mark.parametrize(
    "error", [StoreError("10.0.0.1 is secret"), TimeoutError(), RuntimeError("10.0.0.1 is secret")]
)
def test_a_table_that_cannot_be_read_is_an_error_without_a_word_of_its_own(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(app: InProcessApp) -> Received:
        assert app.usage is not None

        async def fail(*_: object) -> Any:
            raise error

        app.usage.ledger._store.sums = fail  # type: ignore[assignment, method-assign] # the seam is behind the ledger
        return await usage(app)

    found = play(scene, None, **ON)
    expected = (500, "internal_error") if isinstance(error, RuntimeError) else (503, "usage_unavailable")
    assert (found.status, found.json["error"]["code"]) == expected
    assert b"10.0.0.1" not in found.body
    assert caplog.records


def test_a_client_that_leaves_while_a_backend_is_asked_may_have_cost_its_prompt_and_between_two_attempts_nothing() -> (
    None
):
    async def scene(app: InProcessApp) -> list[Any]:
        await app.ask(WAYS["openai chat"], Caller(leaves_at=2.0)).end()
        return list((await usage(app)).json["rows"])

    silent = Says(seconds_to_headers=60.0)
    (row,) = play(scene, {"main": refuses(500), "second": silent}, OPERATORS="nobody")
    assert (row["answers"], row["output_tokens"]) == (1, 0)
    waits = refuses(429, headers={"retry-after": "4"})
    assert play(scene, {"main": waits}, OPERATORS="nobody") == []


def test_while_the_table_of_limits_cannot_be_asked_nobody_knows_what_is_left_and_what_was_used_is_told() -> None:
    async def scene(app: InProcessApp) -> Received:
        await app.ask(WAYS["openai chat"]).end()

        async def fail(*_: object) -> Any:
            raise StoreError("gone")

        app.limits.read = fail  # type: ignore[assignment, method-assign] # the seam is behind the limiter
        return await usage(app)

    found = play(scene, CALLER_LIMITS='{"*": {"tokens_per_day": 5000}}').json
    assert [(limit["maximum"], limit["left"]) for limit in found["limits"]] == [(5000, None)]
    assert [row["answers"] for row in found["rows"]] == [1]
