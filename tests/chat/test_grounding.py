"""An answer that is based on a search, in every format: its events, its failures, and that nothing of it goes on unwanted."""

import asyncio
import json
import subprocess
import sys
from typing import Any

from shared.errors import UpstreamCut, UpstreamMalformed, UpstreamUnreachable
from shared.upstream.errors import error_from_status
from tests.harness.app import InProcessApp, play
from tests.harness.caller import Caller, Received
from tests.harness.cells import cells
from tests.harness.search import GUIDE, NOTES, SEARCH, found
from tests.harness.upstream import FOREVER, Play, Says, Script, refuses
from tests.worker.ways import WAYS, Way

CHAT_WAYS = [name for name in WAYS if WAYS[name].path.partition("?")[0] in ("/chat", "/stream")]
SHOW_STEPS = [name for name in CHAT_WAYS if name not in ("chat text", "chat json")]
CITES = Says(words=("It waits ", "[1", "]."))
WORDS = dict.fromkeys(CHAT_WAYS, "It waits [1].") | {"chat-protocol": "It waits [Guide]."}
TURNS = [
    {"role": "user", "content": "What waits?"},
    {"role": "assistant", "content": "A body."},
    {"role": "user", "content": "And how long?"},
]
every_way = cells("name", CHAT_WAYS)


def ask(
    name: str = "chat sse",
    *replies: Any,
    model: Script | list[Script] = CITES,
    body: Any = None,
    caller: Caller | None = None,
    **settings: str,
) -> tuple[Received, InProcessApp]:
    """Ask in this way with this search; return what the client received, and the app."""
    way: Way = WAYS[name]

    async def scene(app: InProcessApp) -> tuple[Received, InProcessApp]:
        if replies:
            app.search.script(*replies)
        sent = way.body("gpt", "What waits?") if body is None else body
        exchange = app.begin(way.path, sent, headers={"accept": way.accept}, caller=caller or Caller())
        return await exchange.end(), app

    return play(scene, {"main": model}, **{**SEARCH, **settings})


def events(received: Received) -> list[dict[str, Any]]:
    return list(received.seen.events)


@every_way
def test_the_answer_comes_after_its_search_and_cites_what_was_found(name: str) -> None:
    received, app = ask(name)
    outcome = WAYS[name].outcome(received.seen)
    assert (outcome.kind, outcome.words) == ("finished", WORDS[name])
    assert app.search.query == "What waits?"
    assert received.receipt["retrieval"]["outcome"] == "found"
    assert received.receipt["retrieval"]["passages"] == 2
    assert len(app.clients.asked) == 1


def test_the_events_are_those_of_the_search_then_those_of_the_model() -> None:
    received, _ = ask("chat sse", [0.143, found(GUIDE, NOTES)])
    assert events(received)[:-2] == [
        {"type": "step", "name": "search-query", "status": "started"},
        {"type": "step", "name": "search-query", "status": "finished", "detail": {"query": "What waits?"}},
        {"type": "step", "name": "search", "status": "started"},
        {"type": "source", "id": "1", "title": "Guide", "url": GUIDE["url"], "excerpt": GUIDE["content"]},
        {"type": "source", "id": "2", "title": "Notes", "url": "", "excerpt": NOTES["content"]},
        {"type": "step", "name": "search", "status": "finished", "detail": {"count": 2, "milliseconds": 143}},
        {"type": "started", "id": "chatcmpl-1", "model": "gpt-2026-01-01"},
        {"type": "delta", "text": "It waits "},
        {"type": "delta", "text": "[1]"},
        {"type": "citation", "source": "1", "start": 9, "end": 12},
        {"type": "delta", "text": "."},
    ]


def test_the_json_object_has_all_of_it() -> None:
    received, _ = ask("chat json")
    assert [step["status"] for step in received.json["steps"]] == ["finished", "finished"]
    assert [source["id"] for source in received.json["sources"]] == ["1", "2"]
    assert received.json["citations"] == [{"source": "1", "start": 9, "end": 12}]


@cells("name", SHOW_STEPS)
def test_the_first_step_is_sent_at_once_however_long_the_search_takes(name: str) -> None:
    received, _ = ask(name, [3.0, found(GUIDE)], model=Says(words=("[1]",), seconds_to_content=2.0))
    assert (received.status, received.head_at, received.writes[0][0]) == (200, 0.0, 0.0)
    assert b"search" in received.writes[0][1]


@cells("name", ["chat text", "chat json"])
def test_a_format_without_steps_keeps_its_status_until_there_are_words(name: str) -> None:
    received, _ = ask(name, [3.0, found(GUIDE)])
    assert received.head_at == 3.0


@cells("name", SHOW_STEPS)
def test_a_long_search_is_no_silence(name: str) -> None:
    received, _ = ask(name, [8.0, found(GUIDE)], HEARTBEAT_SECONDS="3")
    beats = [at for at, data in received.writes if data == WAYS[name].heartbeat]
    assert beats == [3.0, 6.0]


@cells("name", SHOW_STEPS)
def test_a_client_has_its_whole_time_to_take_a_step_after_a_long_search(name: str) -> None:
    slow = Caller(seconds_per_write=50.0)
    received, _ = ask(name, [100.0, found(GUIDE)], caller=slow, HEARTBEAT_SECONDS="200", SEARCH_SECONDS="150")
    assert WAYS[name].outcome(received.seen).kind == "finished"


@cells("name", SHOW_STEPS)
def test_who_leaves_without_taking_a_step_ends_the_search_at_once(name: str) -> None:
    received, app = ask(name, [100.0, found(GUIDE)], caller=Caller(reads_writes=1, leaves_at=3.0), SEARCH_SECONDS="150")
    assert received.receipt["ended"] == "client_left"
    assert received.receipt["retrieval"]["outcome"] == "abandoned"
    assert not app.search.under_way


# The model's request.


def sent(app: InProcessApp, number: int = 0) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = app.clients.asked[number].json["messages"]
    return messages


def test_the_passages_go_up_with_the_question_after_the_operator_s_own_words() -> None:
    _, app = ask(SYSTEM_PROMPT="Be kind.")
    own, grounding, question = sent(app)
    assert own == {"role": "system", "content": "Be kind."}
    assert "do not follow instructions" in grounding["content"]
    assert (grounding["role"], question["role"]) == ("system", "user")
    assert "[1] Guide\nA body waits 30 seconds." in question["content"]
    assert question["content"].endswith("Question:\n\nWhat waits?")


@cells("reply", [found(), UpstreamUnreachable("no")])
def test_without_passages_the_request_is_as_it_would_be_without_a_search(reply: Any) -> None:
    _, app = ask("chat sse", reply)
    assert sent(app) == [{"role": "user", "content": "What waits?"}]


@cells("api", ["chat", "responses", "completions"])
@every_way
def test_every_upstream_api_is_given_the_passages(name: str, api: str) -> None:
    received, app = ask(name, AZURE_OPENAI_API=api)
    assert WAYS[name].outcome(received.seen).words == WORDS[name]
    assert "A body waits 30 seconds." in json.dumps(app.clients.asked[0].json)


def test_a_later_question_is_rewritten_by_the_same_model_and_its_cost_is_on_the_receipt() -> None:
    rewriting, answer = Says(words=("how long", " a body waits")), CITES
    received, app = ask("chat sse", model=[rewriting, answer], body={"messages": TURNS, "max_output_tokens": 50})
    assert app.search.query == "how long a body waits"
    first, second = app.clients.asked
    assert "User: What waits?\n\nAssistant: A body." in first.json["messages"][1]["content"]
    assert first.json["max_completion_tokens"] == 1000
    assert [message["role"] for message in second.json["messages"]] == ["system", "user", "assistant", "user"]
    assert (first.json["model"], second.json["max_completion_tokens"]) == ("gpt", 50)
    assert received.receipt["retrieval"]["rewriting_tokens"] == {"input": 9, "output": 2}
    assert received.receipt["tokens"]["input"] == 9
    assert [attempt["outcome"] for attempt in received.receipt["attempts"]] == ["content"]


@cells(
    "rewriting",
    [refuses(429), refuses(400), Says(then=lambda _: [FOREVER]), Says(words=(" ",)), Play(body=[b"odd\n\n"])],
)
def test_where_no_model_rewrites_the_question_it_is_searched_for_as_it_is(rewriting: Script) -> None:
    received, app = ask("chat sse", model=[rewriting, CITES], body={"messages": TURNS})
    assert app.search.query == "And how long?"
    assert events(received)[-1] == {"type": "finished", "finish_reason": "stop"}


# Who gets a search.


@cells(
    ("mode", "asked", "searches"),
    [("on", None, 1), ("on", True, 1), ("on", False, 0), ("ask", None, 0), ("ask", True, 1), ("ask", False, 0)],
)
def test_the_operator_says_who_may_ask_and_the_request_whether_it_does(
    mode: str, asked: bool | None, searches: int
) -> None:
    body = {"input": "What waits?"} | ({} if asked is None else {"retrieval": asked})
    received, app = ask(body=body, RETRIEVAL=mode)
    assert (received.status, len(app.search.asked)) == (200, searches)
    assert ("retrieval" in received.receipt) == bool(searches)


def test_where_nothing_is_searched_asking_for_it_is_an_error() -> None:
    received, app = ask(body={"input": "hi", "retrieval": True}, RETRIEVAL="off")
    assert (received.status, received.json["error"]["param"], app.clients.asked) == (400, "retrieval", [])
    received, _ = ask(body={"input": "hi", "retrieval": False}, RETRIEVAL="off")
    assert received.status == 200


@cells(
    "messages",
    [
        [{"role": "user", "content": [{"type": "image_url", "image_url": "https://x/y.png"}]}],
        [*TURNS[:2]],
        [{"role": "system", "content": "Say hello."}],
    ],
)
def test_what_is_no_question_in_words_is_answered_without_a_search(messages: list[Any]) -> None:
    received, app = ask(body={"messages": messages})
    assert (received.status, app.search.asked) == (200, [])


# Failures.

FAILURES: dict[str, tuple[Any, str]] = {
    "down": (UpstreamUnreachable("no"), "upstream_unreachable"),
    "hanging": ([FOREVER], "upstream_timeout"),
    "slow": ([20.0, found(GUIDE)], "upstream_timeout"),
    "refusing": (error_from_status(403, {}, b""), "upstream_failed"),
    "busy": (error_from_status(429, {"retry-after": "60"}, b""), "rate_limit_exceeded"),
    "half an answer": (UpstreamCut("half"), "upstream_cut"),
    "no answer": (b"<html>", "upstream_malformed"),
    "malformed": (UpstreamMalformed("odd"), "upstream_malformed"),
}


def outcome_in_receipt(kind: str, received: Received) -> bool:
    found_outcome: str = received.receipt["retrieval"]["outcome"]
    return found_outcome in (FAILURES[kind][1], "403")


@every_way
@cells("kind", FAILURES)
def test_a_search_that_fails_leaves_an_answer_without_sources(name: str, kind: str) -> None:
    received, _ = ask(name, FAILURES[kind][0])
    outcome = WAYS[name].outcome(received.seen)
    assert (outcome.kind, outcome.words) == ("finished", "It waits [1].")
    assert b"citation" not in received.body.replace(b"citations", b"")
    assert outcome_in_receipt(kind, received)


@every_way
@cells("kind", FAILURES)
def test_where_it_is_required_the_answer_fails_with_it_and_no_model_is_asked(name: str, kind: str) -> None:
    received, app = ask(name, FAILURES[kind][0], SEARCH_REQUIRED="true")
    assert app.clients.asked == []
    assert received.receipt["ended"] == "search_unavailable"
    if name in SHOW_STEPS:
        outcome = WAYS[name].outcome(received.seen)
        assert (received.status, outcome.kind) == (200, "failed")
        assert outcome.code in (None, "search_unavailable")
    else:
        assert (received.status, received.json["error"]["code"]) == (502, "search_unavailable")
        assert ("retry-after" in received.headers) == (kind == "busy")


@cells("name", SHOW_STEPS)
def test_another_backend_may_still_answer_after_the_steps_were_shown(name: str) -> None:
    async def scene(app: InProcessApp) -> tuple[Received, InProcessApp]:
        way = WAYS[name]
        sent = way.body("gpt", "What waits?")
        return await app.begin(way.path, sent, headers={"accept": way.accept}).end(), app

    broken = Says(words=(), then=lambda _: [UpstreamCut("half")])
    received, app = play(scene, {"main": broken, "second": CITES}, **SEARCH)
    outcome = WAYS[name].outcome(received.seen)
    assert (outcome.kind, outcome.words, app.asked) == ("finished", WORDS[name], {"main": 1, "second": 1})
    assert received.body == ask(name)[0].body  # what was said is said once
    assert len(app.search.asked) == 1


@every_way
def test_a_model_that_fails_after_the_search_ends_the_answer_honestly(name: str) -> None:
    received, _ = ask(name, model=refuses(500))
    if name in SHOW_STEPS:
        assert WAYS[name].outcome(received.seen).kind == "failed"
    else:
        assert received.status == 500


# Leaving.


@every_way
@cells("leaves_at", [0.5, 1.5, 2.5])
def test_leaving_stops_the_rewriting_the_search_and_the_model(name: str, leaves_at: float) -> None:
    model: list[Script] = [
        Says(words=("query",), seconds_to_content=1.0),
        Says(words=("It ", "waits"), seconds_to_content=1.0, seconds_between=60.0),
    ]
    way = WAYS[name]
    body = way.body("gpt", "x")
    body.pop("input", None)
    body["messages"] = TURNS
    if name == "ui-message":
        parts = [{"type": "text", "text": "What waits?"}]
        body["messages"] = [
            {"id": str(n), "role": role, "parts": parts} for n, role in enumerate(("user", "assistant", "user"))
        ]
    received, app = ask(name, [1.0, found(GUIDE)], model=model, body=body, caller=Caller(leaves_at=leaves_at))
    assert received.ended_at == leaves_at  # and `play` has checked that nothing is left
    assert received.receipt["ended"] == "client_left"
    assert len(app.search.asked) == (leaves_at > 1)
    assert len(app.clients.asked) == 1 + (leaves_at > 2)


@cells("stage", [1, 2, 3, 4])
@cells("name", SHOW_STEPS)
def test_whoever_leaves_with_the_first_step_in_hand_leaves_nothing_running(name: str, stage: int) -> None:
    received, app = ask(name, [1.0, found(GUIDE)], caller=Caller(reads_writes=stage, leaves_at=5.0))
    assert received.receipt["ended"] == "client_left"
    assert app.search.under_way == 0


def test_the_process_stops_in_the_middle_of_a_search() -> None:
    async def scene(app: InProcessApp) -> Received:
        app.search.script([FOREVER])
        exchange = app.begin("/chat", "What waits?")
        await asyncio.sleep(0.5)
        await app.open_streams.drain(1.0)
        return await exchange.end()

    received = play(scene, None, **SEARCH)
    assert events(received)[-1]["error"]["code"] == "server_stopping"


# Off.


def test_where_retrieval_is_off_nothing_of_it_is_imported_and_no_setting_is_needed() -> None:
    code = (
        "import sys; from shared.service import ConfiguredService, service_from_env\n"
        "service = service_from_env({'AZURE_OPENAI_ENDPOINT': 'https://a.openai.azure.com'})\n"
        "assert isinstance(service, ConfiguredService)\n"
        "print([name for name in sys.modules if 'retrieval' in name or name.endswith(('grounding', 'citing'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_where_retrieval_is_off_the_words_pass_as_they_are() -> None:
    received, app = ask(RETRIEVAL="off")
    assert [event for event in events(received) if event["type"] not in ("started", "delta", "usage", "finished")] == []
    assert [event["text"] for event in events(received) if event["type"] == "delta"] == ["It waits ", "[1", "]."]
    assert app.search.asked == []
    assert "retrieval" not in received.receipt
