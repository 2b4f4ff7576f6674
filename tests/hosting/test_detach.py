"""An answer runs after the framework has returned, whatever the framework does with its call."""

import asyncio
import logging
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from shared.hosting.detach import Detaching, detach

START: Message = {"type": "http.response.start", "status": 500, "headers": []}


async def receive() -> Message:
    return {"type": "http.disconnect"}


def run(app: Any, scope: Scope | None = None) -> list[str]:
    """Return the types of what is sent, and what the app notes with `scope["notes"]`."""
    notes: list[str] = []

    async def send(message: Message) -> None:
        notes.append(f"{message['type']} {message.get('status', '')}".strip())

    asyncio.run(app({"type": "http", "notes": notes} if scope is None else scope, receive, send))
    return notes


async def detaching_framework(scope: Scope, receive: Receive, send: Send) -> None:
    """A framework whose response puts its answer aside."""

    async def answer(_receive: Receive, send: Send) -> None:
        await send({**START, "status": 200})

    await detach(scope, receive, send, answer)
    scope["notes"].append("framework returned")


async def framework_that_answers_too(scope: Scope, receive: Receive, send: Send) -> None:
    await detaching_framework(scope, receive, send)
    await send(START)


async def framework_that_raises(scope: Scope, receive: Receive, send: Send) -> None:
    await detaching_framework(scope, receive, send)
    await send(START)
    raise AssertionError("No response returned.")


def test_a_detached_answer_runs_after_the_framework_has_returned() -> None:
    assert run(Detaching(detaching_framework)) == ["framework returned", "http.response.start 200"]


def test_without_a_server_of_ours_the_answer_runs_at_once() -> None:
    assert run(detaching_framework) == ["http.response.start 200", "framework returned"]


def test_a_response_that_detaches_nothing_passes_and_so_does_what_its_framework_raises() -> None:
    async def plain(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        raise LookupError("of the framework")

    with pytest.raises(LookupError, match="of the framework"):
        run(Detaching(plain))


@pytest.mark.parametrize(
    ("framework", "what"),
    [(framework_that_answers_too, "it answered itself"), (framework_that_raises, "AssertionError")],
)
def test_a_framework_that_misses_the_response_does_not_spoil_the_answer_and_is_logged_once(
    framework: Any, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = Detaching(framework)
    with caplog.at_level(logging.WARNING, "shared.hosting.detach"):
        for _ in range(2):
            assert run(app) == ["framework returned", "http.response.start 200"]
    (record,) = caplog.records
    assert record.getMessage().startswith("Unsupported fastapi: ")
    assert what in record.getMessage()


def test_what_the_framework_adds_to_the_scope_ends_with_the_framework() -> None:
    async def adding(scope: Scope, _receive: Receive, _send: Send) -> None:
        scope["added"] = True

    scope: Scope = {"type": "http"}
    run(Detaching(adding), scope)
    assert scope == {"type": "http"}
