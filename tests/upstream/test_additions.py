"""What this app adds to a request is taken back where that is what is refused."""

import json
from typing import Any

import msgspec
import pytest

from shared.config.backends import single_backend
from shared.http.json_body import parse_fields
from shared.upstream import additions
from shared.upstream.additions import Addition, RefusedAdditions, field, nested_field
from shared.upstream.call import UpstreamCall
from shared.upstream.errors import error_from_status
from tests.harness.app import GOOD, InProcessApp, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.upstream import JSON, Play, Script
from tests.worker.ways import COLLECTED, STREAMS, WAYS, Outcome

FINISHED = Outcome("finished", words="Hello you")
CHAT_WAYS = [name for name in [*STREAMS, *COLLECTED] if WAYS[name].path.startswith(("/chat", "/stream"))]
BACKEND = single_backend("E", "https://a.openai.azure.com", scope="s", is_azure=True)
type Said = tuple[int, dict[str, Any]]
EXTRA = "[{'type': 'extra_forbidden', 'loc': ('body', 'stream_options')}]"
MISTRAL = 422, {"error": {"code": "Invalid input", "message": EXTRA}}
AZURE = 400, {"error": {"message": "Validation error at #/stream_options: Extra inputs are not permitted"}}
BARE = 422, {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"]}]}
UNVERIFIED = 400, {"error": {"message": "No summaries.", "param": "reasoning.summary", "code": "unsupported_value"}}


def refusing(said: Said, asked: list[Any]) -> Script:
    """Refuse every request that has what is refused; note each."""
    status, body = said

    def script(call: UpstreamCall) -> Play:
        made = json.loads(call.body(BACKEND, "d") or b"")
        asked.append(made)
        if "stream_options" in made or "summary" in (made.get("reasoning") or {}):
            return Play(error=lambda: error_from_status(status, JSON, json.dumps(body).encode()))
        return GOOD(call)

    return script


def ask_twice(way: str, said: Said, more: dict[str, Any], **settings: str) -> tuple[list[Received], list[Any]]:
    asked: list[Any] = []

    async def scene(app: InProcessApp) -> list[Received]:
        one = WAYS[way]
        body = {**one.body("gpt", "hi"), **more}
        return [await app.begin(one.path, body, headers={"accept": one.accept}).end() for _ in range(2)]

    return play(scene, {"main": refusing(said, asked)}, **settings), asked


@cells("said", [MISTRAL, AZURE, BARE], ids=["Mistral", "Azure", "no error object"])
@cells("way", ["openai chat", "completions", *CHAT_WAYS])
def test_a_stream_is_answered_without_the_word_that_the_caller_never_sent(way: str, said: Any) -> None:
    received, asked = ask_twice(way, said, {})
    assert [WAYS[way].outcome(one.seen) for one in received] == [FINISHED, FINISHED]
    # In vain once: from then on the deployment is known.
    assert ["stream_options" in body for body in asked] == [True, False, False]
    assert len(received[0].receipt["attempts"]) == 1


def test_with_data_sources_it_is_not_sent_at_all() -> None:
    received, asked = ask_twice("openai chat", AZURE, {"data_sources": [{"type": "azure_search", "parameters": {}}]})
    assert [one.status for one in received] == [200, 200]
    assert ["stream_options" in body for body in asked] == [False, False]


@cells("options", [{"include_obfuscation": False}, {"include_usage": False}])
def test_what_the_caller_sent_itself_is_the_callers_to_hear_of(options: dict[str, Any]) -> None:
    received, asked = ask_twice("openai chat", AZURE, {"stream_options": options})
    assert [one.status for one in received] == [400, 400]
    assert asked[1]["stream_options"] == options
    received, asked = ask_twice("openai chat", AZURE, {"stream_options": {"include_usage": True}})
    assert ([one.status for one in received], len(asked)) == ([400, 400], 2)


@cells("way", CHAT_WAYS)
def test_a_summary_that_an_account_may_not_have_is_not_asked_for_again(way: str) -> None:
    if WAYS[way].path == "/stream?format=chat-protocol":
        more: dict[str, Any] = {"context": {"reasoning_effort": "low"}}
    else:
        more = {"reasoning_effort": "low"}
    received, asked = ask_twice(way, UNVERIFIED, more, AZURE_OPENAI_API="responses")
    assert [WAYS[way].outcome(one.seen).kind for one in received] == ["finished", "finished"]
    if "reasoning" in asked[0]:
        assert [body["reasoning"] for body in asked] == [
            {"effort": "low", "summary": "auto"}, {"effort": "low"}, {"effort": "low"},
        ]  # fmt: skip


@cells(
    ("status", "said", "is_refused"),
    [
        (400, {"error": {"message": "stream_options is not known"}}, True),
        (422, {"detail": "stream_options"}, True),
        (400, {"error": {"message": "messages is empty"}}, False),
        (404, {"error": {"message": "stream_options"}}, False),
        (429, {"error": {"message": "stream_options"}}, False),
        (500, {"error": {"message": "stream_options"}}, False),
    ],
)
def test_only_a_refusal_that_names_it_is_one_of_it(status: int, said: Any, is_refused: bool) -> None:
    failure = error_from_status(status, JSON, json.dumps(said).encode())
    assert field("stream_options").is_refused_by(failure) is is_refused


def test_everything_else_of_a_body_goes_up_as_it_was() -> None:
    body = b'{"x":1e400,"y":"\\ud800","stream_options":{"include_usage":true},"reasoning":{"effort":"low","summary":"auto"}}'
    assert field("stream_options", decode=parse_fields).take_back(body) == body.replace(
        b'"stream_options":{"include_usage":true},', b""
    )
    original = msgspec.Raw(b'{"a":1e400}')
    assert b'"stream_options":{"a":1e400}' in field("stream_options", original=original, decode=parse_fields).take_back(
        body
    )
    ours = b'{"x":1,"reasoning":{"effort":"low","summary":"auto"}}'
    assert nested_field("reasoning", "summary").take_back(ours) == b'{"x":1,"reasoning":{"effort":"low"}}'
    assert nested_field("other", "summary").take_back(b"{}") == b"{}"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(additions, "MAX_REMEMBERED", 2)
    known, one = RefusedAdditions(), Addition("x", bytes)
    for name in "abc":
        known.note(name, "d", one)
    assert [known.knows(name, "d", one) for name in "abc"] == [False, True, True]
