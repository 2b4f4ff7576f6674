"""How a failed Responses stream ends for a client that passes over `error` events, and for the others. In-process."""

from typing import Any

from shared.errors import UpstreamCut
from tests.harness.app import InProcessApp, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.frames import FRAMES
from tests.harness.upstream import EVENT_STREAM, Play, Step

CODEX = {"user-agent": "codex_exec/0.171.0 (Debian 12.0.0; x86_64) xterm (codex_exec; 0.171.0)"}
RESPONSES = FRAMES["responses"]
BROKEN: tuple[Step, ...] = (*RESPONSES.opening(), RESPONSES.word("Hello"), UpstreamCut("It broke off."))
SAID: tuple[Step, ...] = (
    *RESPONSES.opening(),
    RESPONSES.word("Hello"),
    *RESPONSES.error({"code": "server_error", "message": "It broke off."}, "error_only"),
)
FAILED: tuple[Step, ...] = (
    *RESPONSES.opening(),
    RESPONSES.word("Hello"),
    *RESPONSES.error({"code": "server_error", "message": "It broke off."}, "failed_first"),
)


def ask(steps: tuple[Step, ...], headers: dict[str, str], **fields: Any) -> Received:
    async def scene(app: InProcessApp) -> Received:
        body = {"model": "gpt", "input": "hello", "stream": True, **fields}
        return await app.begin("/v1/responses", body, headers=headers).end()

    return play(scene, {"main": Play(body=list(steps), headers=EVENT_STREAM)})


@cells("store", [True, False])
def test_codex_gets_a_response_failed_that_says_why_and_a_clean_end_because_a_cut_would_hide_it(*, store: bool) -> None:
    received = ask(BROKEN, CODEX, store=store)
    begun, *_, error, failed = received.seen.events
    assert [error["type"], failed["type"]] == ["error", "response.failed"]
    assert failed["response"]["error"] == {"code": "upstream_cut", "message": error["message"]}
    assert failed["response"]["id"] == begun["response"]["id"]
    assert failed["sequence_number"] == error["sequence_number"] + 1
    assert (received.is_completed, received.receipt["ended"]) == (True, "upstream_cut")


def test_codex_gets_it_after_the_upstreams_own_error_too_and_never_twice() -> None:
    kinds = [event["type"] for event in ask(SAID, CODEX).seen.events]
    assert kinds[-2:] == ["error", "response.failed"]
    received = ask(FAILED, CODEX)
    kinds = [event["type"] for event in received.seen.events]
    assert (kinds.count("response.failed"), kinds.count("error"), received.is_completed) == (1, 1, True)


@cells("headers", [{}, {"user-agent": "OpenAI/Python 3.52.0"}])
def test_every_other_client_gets_the_error_alone_and_a_cut(headers: dict[str, str]) -> None:
    received = ask(BROKEN, headers)
    kinds = [event["type"] for event in received.seen.events]
    assert (kinds[-1], "response.failed" in kinds, received.is_completed) == ("error", False, False)


def test_a_background_response_is_not_said_to_have_failed_with_its_stream() -> None:
    received = ask(SAID[:-1], CODEX, background=True)
    kinds = [event["type"] for event in received.seen.events]
    assert ("response.failed" in kinds, received.is_completed) == (False, False)
