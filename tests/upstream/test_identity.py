"""Tokens: who waits for one, for how long, what a reply may be, and what follows when an upstream rejects one."""

import asyncio
import json
import logging
import time
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.errors import IdentityUnavailable
from shared.upstream import identity
from shared.upstream.identity import TokenSource, make_credential
from tests.harness.cells import cells
from tests.upstream.credentials import Credential, until
from tests.upstream.loopback import Replies, response, serving

SCOPE = "https://cognitiveservices.azure.com/.default"


def source(credential: Credential, **options: Any) -> TokenSource:
    return TokenSource(credential, SCOPE, **options)


def test_all_who_wait_share_one_request() -> None:
    async def case() -> None:
        credential = Credential()
        tokens = source(credential)
        assert set(await asyncio.gather(*(tokens.token() for _ in range(50)))) == {"t1"}
        assert await tokens.token() == "t1"
        assert credential.asked == 1

    asyncio.run(case())


def test_a_token_is_renewed_in_the_background_while_the_old_one_is_good() -> None:
    async def case() -> None:
        credential = Credential(lifetime=200, replies=[None, "hang"])
        tokens = source(credential)
        assert await tokens.token() == "t1"
        tokens._renew_at = 0.0
        async with asyncio.timeout(2):  # the identity endpoint says nothing
            assert [await tokens.token() for _ in range(20)] == ["t1"] * 20
        await until(lambda: credential.asked == 2)
        await tokens.aclose()
        tokens._renew_at = 0.0
        assert await tokens.token() == "t1"
        await until(lambda: tokens._held is not None and tokens._held.token == "t3")
        assert await tokens.token() == "t3"

    asyncio.run(case())


def test_a_renewal_that_fails_costs_nobody_the_token_in_hand_and_is_not_repeated_at_once() -> None:
    async def case() -> None:
        credential = Credential(lifetime=200, replies=[None, ClientAuthenticationError("no")])
        tokens = source(credential)
        await tokens.token()
        tokens._renew_at = 0.0
        for _ in range(20):
            assert await tokens.token() == "t1"
            await asyncio.sleep(0.005)
        assert credential.asked == 2

    asyncio.run(case())


def test_a_token_with_seconds_left_is_waited_for_and_still_serves_where_no_other_comes() -> None:
    async def case() -> None:
        credential = Credential(lifetime=8, replies=[None, ClientAuthenticationError("no")])
        tokens = source(credential)
        await tokens.token()
        assert await tokens.token() == "t1"
        assert await tokens.token() == "t3"

    asyncio.run(case())


def test_an_identity_endpoint_that_says_nothing_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        credential = Credential(replies=["hang"])
        with pytest.raises(IdentityUnavailable) as caught:
            await source(credential, fetch_seconds=0.05).token()
        assert caught.value.code == "identity_unavailable"
        assert "identity endpoint" in caught.value.message
        assert not caught.value.is_about_backend
        assert credential.cancelled == 1

    asyncio.run(case())
    assert "no answer within 0.05 s" in caplog.text


def test_the_last_waiter_that_leaves_cancels_the_request() -> None:
    async def case() -> None:
        credential = Credential(replies=["hang"])
        tokens = source(credential)
        waiting = [asyncio.create_task(tokens.token()) for _ in range(2)]
        await until(lambda: credential.asked == 1)
        waiting[0].cancel()
        await asyncio.sleep(0.02)
        assert credential.cancelled == 0
        waiting[1].cancel()
        await until(lambda: credential.cancelled == 1)
        assert await tokens.token() == "t2"

    asyncio.run(case())


def test_closing_cancels_a_renewal_and_fails_who_waits() -> None:
    async def case() -> None:
        credential = Credential(replies=["hang"])
        tokens = source(credential)
        waiting = asyncio.create_task(tokens.token())
        await until(lambda: credential.asked == 1)
        await tokens.aclose()
        assert credential.cancelled == 1
        with pytest.raises(IdentityUnavailable):
            await waiting

    asyncio.run(case())


def test_a_rejected_token_is_replaced_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        credential = Credential()
        tokens = source(credential, has_cache=True)
        await tokens.token()
        assert await asyncio.gather(*(tokens.replace("t1") for _ in range(20))) == [True] * 20
        assert (await tokens.token(), credential.asked) == ("t2", 2)
        assert await tokens.replace("t1"), "another than the one that was sent is in hand"
        assert not await tokens.replace("t2"), "an upstream that rejects every token has no more of them"
        monkeypatch.setattr(identity, "REPLACE_SECONDS", 0.0)
        assert await tokens.replace("t2")
        assert credential.asked == 3
        assert credential.claims == [None, "{}", "{}"], "the credential's own cache would return the rejected one"

    asyncio.run(case())


@cells("reply", [ClientAuthenticationError("no"), AccessToken("t1", int(time.time() + 3600))])
def test_a_rejected_token_stays_in_use_where_the_identity_endpoint_has_no_other(reply: Any) -> None:
    async def case() -> None:
        tokens = source(Credential(replies=[None, reply]))
        await tokens.token()
        assert not await tokens.replace("t1")
        assert await tokens.token() == "t1"

    asyncio.run(case())


@cells("token", [None, 5, "", "a b", "a\nb", "t\u00e9", {}])
def test_a_token_that_no_header_can_carry_is_none(token: Any) -> None:
    with pytest.raises(IdentityUnavailable):
        asyncio.run(source(Credential(replies=[AccessToken(token, 9_999_999_999)])).token())


@cells("expires_on", [None, "9999999999", float("inf"), 10**400])
def test_a_token_that_expires_at_no_time_is_none(expires_on: Any) -> None:
    with pytest.raises(IdentityUnavailable):
        asyncio.run(source(Credential(replies=[AccessToken("t", expires_on)])).token())


def test_no_reply_is_quoted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    quoting = ClientAuthenticationError("Unexpected response \"{'AccessToken': 'SECRET'}\"")
    quoting.status_code = 200
    endless = ClientAuthenticationError("no\n\x1b[31mFORGED " + "x" * 10_000)
    with_status = ClientAuthenticationError("(None) SECRET")
    with_status.status_code = 400
    with_content = ClientAuthenticationError('get_token failed\nContent: {"access_token": "SECRET"')
    for reply in (quoting, ValueError("SECRET"), endless, with_status, with_content):
        with pytest.raises(IdentityUnavailable) as caught:
            asyncio.run(source(Credential(replies=[reply])).token())
        assert caught.value.__cause__ is None
    messages = [record.getMessage() for record in caplog.records if record.name == identity.__name__]
    assert len(messages) == 5
    assert "SECRET" not in caplog.text
    assert messages[3].endswith("HTTP status 400 (ClientAuthenticationError)")
    assert messages[4].endswith(": get_token failed")
    assert max(map(len, messages)) < 500
    assert all(message.isprintable() for message in messages)


RESOURCE = SCOPE.removesuffix("/.default")
TOKEN = {"access_token": "t", "expires_on": "9999999999", "resource": RESOURCE, "token_type": "Bearer"}
REPLIES = {
    "a text": b'"access_token expires_on"',
    "an infinite time": json.dumps(TOKEN).replace('"9999999999"', "1e400").encode(),
    "a time that is none": json.dumps(TOKEN | {"expires_on": "soon"}).encode(),
    "deep nesting": b"[" * 100_000,
    "no object": b"[]",
    "null": b"null",
    "nothing": b"",
    "no JSON": b"<html>",
    "not UTF-8": b"\xff\xfe",
    "a token that is a number": json.dumps(TOKEN | {"access_token": 5}).encode(),
}


@pytest.mark.parametrize("name", REPLIES)
def test_whatever_an_identity_endpoint_replies_is_a_token_or_identity_unavailable(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def case() -> None:
        async with serving(Replies([response(REPLIES[name])], closes=True)) as url:
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/token")
            monkeypatch.setenv("IDENTITY_HEADER", "h")
            async with make_credential(managed=True, client_id="") as credential:
                with pytest.raises(IdentityUnavailable):
                    await TokenSource(credential, SCOPE, has_cache=True).token()

    caplog.set_level(logging.ERROR, identity.__name__)
    asyncio.run(case())
    assert "No token for the scope" in caplog.text


def test_a_managed_identity_is_asked_past_its_own_cache_for_a_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        replies = [response(json.dumps(TOKEN | {"access_token": name}).encode()) for name in ("t1", "t2")]
        endpoint = Replies(replies, closes=True)
        async with serving(endpoint) as url:
            monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}/token")
            monkeypatch.setenv("IDENTITY_HEADER", "h")
            async with make_credential(managed=True, client_id="") as credential:
                tokens = TokenSource(credential, SCOPE, has_cache=True)
                assert await tokens.token() == "t1"
                assert await tokens.replace("t1")
                assert await tokens.token() == "t2"
        assert len(endpoint.requests) == 2
        assert b"claims" not in endpoint.requests[1]

    asyncio.run(case())
