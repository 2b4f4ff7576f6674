"""The chat API as it is called: who may, in which format, under which rules of the deployment."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tests.harness.app import GOOD, InProcessApp, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.upstream import Asked, Script, refuses

KEY = "key of alice"
KEYS: dict[str, Any] = {"AUTH_MODE": "keys", "CALLER_KEYS": f"alice=sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"}


def chat(
    body: object = "hi",
    path: str = "/chat",
    *,
    headers: Mapping[str, str] | None = None,
    script: Script = GOOD,
    **settings: str,
) -> tuple[Received, list[Asked]]:
    async def scene(app: InProcessApp) -> tuple[Received, list[Asked]]:
        return await app.begin(path, body, headers=headers).end(), app.clients.asked

    return play(scene, {"main": script}, **settings)


@cells(
    ("path", "accept", "media_type"),
    [
        ("/chat", "*/*", "text/event-stream; charset=utf-8"),
        ("/chat", "application/x-ndjson", "application/x-ndjson"),
        ("/chat", "text/plain", "text/plain; charset=utf-8"),
        ("/chat", "application/json", "application/json"),
        ("/chat?format=json", "text/event-stream", "application/json"),
        ("/stream", "*/*", "text/event-stream; charset=utf-8"),
        ("/chat/stream", "application/x-ndjson", "application/x-ndjson"),
    ],
)
def test_the_format_is_the_callers_choice(path: str, accept: str, media_type: str) -> None:
    received, _ = chat(path=path, headers={"accept": accept})
    assert (received.status, received.headers["content-type"]) == (200, media_type)
    assert received.is_completed


def test_axios_gets_json_where_json_is_to_be_had() -> None:
    accept = {"accept": "application/json, text/plain, */*"}
    received, _ = chat({"input": "hello"}, headers=accept)
    assert (received.status, received.headers["content-type"], received.json["text"]) == (
        200,
        "application/json",
        "Hello you",
    )


SEARCH_DEMO: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hello"}],
    "context": {"overrides": {"temperature": 0.3}},
    "session_state": None,
}


@cells("state", [None, "s", {"turn": [1]}])
def test_the_front_end_of_azures_search_sample_gets_the_protocols_object_and_its_lines(state: object) -> None:
    body = SEARCH_DEMO | {"session_state": state}
    whole, _ = chat(body, headers={"accept": "*/*"})
    assert (whole.status, whole.headers["content-type"]) == (200, "application/json")
    assert (whole.json["message"]["content"], whole.json["session_state"]) == ("Hello you", state)
    assert "sessionState" not in whole.json
    stream, _ = chat(body, "/chat/stream", headers={"accept": "*/*"})
    lines = [json.loads(line) for line in stream.body.splitlines() if line]
    assert (lines[0]["delta"], lines[0]["session_state"]) == ({"role": "assistant"}, state)
    assert "".join(line.get("delta", {}).get("content", "") for line in lines) == "Hello you"


ASSISTANT_UI: dict[str, Any] = {
    "id": "1",
    "messages": [{"id": "m1", "role": "user", "parts": [{"type": "text", "text": "hello"}]}],
    "trigger": "submit-message",
    "system": None,
    "tools": {},
    "callSettings": {},
    "config": {},
    "metadata": {},
}


@cells(
    ("body", "sent"),
    [
        (ASSISTANT_UI, [("user", "hello")]),
        (ASSISTANT_UI | {"system": "Be brief."}, [("system", "Be brief."), ("user", "hello")]),
        ({"prompt": "hello"}, [("user", "hello")]),
    ],
    ids=["assistant-ui", "assistant-ui's system", "useCompletion"],
)
def test_the_other_ui_kits_are_answered_as_use_chat_is(body: Any, sent: list[tuple[str, str]]) -> None:
    received, (asked,) = chat(body, headers={"accept": "*/*"})
    assert (received.status, received.headers["x-vercel-ai-ui-message-stream"]) == (200, "v1")
    assert received.body.endswith(b"data: [DONE]\n\n")
    assert [(one["role"], one["content"]) for one in asked.json["messages"]] == sent


def test_use_completion_can_ask_for_plain_text() -> None:
    received, _ = chat({"prompt": "hello"}, "/chat?format=text", headers={"accept": "*/*"})
    assert (received.status, received.body) == (200, b"Hello you")


def test_stream_false_gives_one_json_object_whatever_is_accepted() -> None:
    received, _ = chat({"input": "hi", "stream": False}, headers={"accept": "text/html"})
    assert (received.status, received.json["text"], received.receipt["format"]) == (200, "Hello you", "json")


def test_where_streaming_is_off_every_answer_is_one_json_object() -> None:
    for path in ("/chat", "/stream"):
        received, _ = chat(path=path, STREAMING_ENABLED="false")
        assert (received.headers["content-type"], received.json["text"]) == ("application/json", "Hello you")


@cells(
    ("body", "path", "headers", "status", "code"),
    [
        ("hi", "/stream", {"accept": "text/html"}, 406, "not_acceptable"),
        ("hi", "/chat", {"accept": "text/html"}, 406, "not_acceptable"),
        ("hi", "/chat", {"content-type": "text/plain"}, 415, "unsupported_media_type"),
        ("hi", "/chat", {"content-encoding": "gzip"}, 415, "unsupported_media_type"),
        (b"{nope", "/chat", {}, 400, "invalid_json"),
        (b"", "/chat", {}, 400, "invalid_json"),
        ({"input": "hi", "nonsense": 1}, "/chat", {}, 400, "invalid_request"),
        ({"input": "hi", "model": "m" * 300}, "/chat", {}, 400, "invalid_request"),
    ],
)
def test_a_bad_request_is_a_4xx_and_asks_nobody(
    body: object, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    received, asked = chat(body, path, headers=headers)
    assert (received.status, received.json["error"]["code"], asked) == (status, code, [])
    assert received.json["error"]["type"] == "invalid_request_error"
    assert received.headers["x-request-id"]


def test_an_unknown_model_is_a_404_where_the_models_are_listed() -> None:
    received, asked = chat({"input": "hi", "model": "other"}, AZURE_OPENAI_MODELS="gpt=gpt-east")
    assert (received.status, received.json["error"]["code"], asked) == (404, "model_not_found", [])


@cells("header", ["api-key", "x-functions-key"])
def test_the_key_opens_and_its_name_is_on_the_receipt(header: str) -> None:
    received, asked = chat(headers={header: KEY}, **KEYS)
    assert (received.status, received.receipt["caller"]) == (200, "alice")
    assert KEY not in json.dumps([asked[0].call.headers, asked[0].call.query]) + str(asked[0].raw)


def test_without_a_key_it_is_a_401_before_the_body_is_read() -> None:
    received, asked = chat(b"{nope", **KEYS)
    assert (received.status, received.json["error"]["code"], asked) == (401, "invalid_api_key", [])
    assert received.headers["www-authenticate"] == "Bearer"
    assert received.receipts == []


def sent(body: object, **settings: Any) -> dict[str, Any]:
    _, (asked,) = chat(body, **settings)
    found: dict[str, Any] = asked.json
    return found


def test_the_deployments_own_prompt_goes_first() -> None:
    messages = sent("hi", SYSTEM_PROMPT="Be brief.")["messages"]
    assert messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]


def test_the_deployments_own_tools_go_up_and_a_caller_cannot_bring_any() -> None:
    tools = [{"type": "web_search", "search_context_size": "low"}]
    settings: dict[str, Any] = {"AZURE_OPENAI_API": "responses", "CHAT_TOOLS": json.dumps(tools)}
    assert sent("hi", **settings)["tools"] == tools
    assert "tools" not in sent("hi", AZURE_OPENAI_API="responses")
    received, asked = chat({"input": "hi", "tools": tools}, **settings)
    assert (received.status, received.json["error"]["param"], asked) == (400, "tools", [])


@cells(("asked", "sends"), [(None, 50), (20, 20), (100, 50)])
def test_the_deployments_cap_holds(asked: int | None, sends: int) -> None:
    body = {"input": "hi"} | ({} if asked is None else {"max_output_tokens": asked})
    assert sent(body, MAX_OUTPUT_TOKENS="50")["max_completion_tokens"] == sends


def test_without_a_cap_nothing_is_added() -> None:
    assert "max_completion_tokens" not in sent("hi")


@cells("api", ["chat", "responses", "completions"])
def test_each_upstream_api_gives_the_same_answer(api: str) -> None:
    received, (asked,) = chat({"input": "hi", "stream": False}, AZURE_OPENAI_API=api)
    assert received.json["text"] == "Hello you"
    assert asked.call.path == {"chat": "chat/completions"}.get(api, api)
    assert (asked.call.method, asked.call.streams) == ("POST", True)


def test_debug_headers_are_off_unless_asked_for() -> None:
    received, _ = chat(DEBUG_HEADERS="false")
    assert not {"x-backend", "x-attempts"} & set(received.headers)
    received, _ = chat()
    assert (received.headers["x-backend"], received.headers["x-attempts"]) == ("main", "1")


def test_answers_and_errors_can_be_read_by_an_allowed_origin() -> None:
    for script, status in ((GOOD, 200), (refuses(400), 400)):
        received, _ = chat(
            script=script, headers={"origin": "http://localhost:3000"}, ALLOWED_ORIGINS="http://localhost:3000"
        )
        assert received.status == status
        assert received.headers["access-control-allow-origin"] == "http://localhost:3000"


def test_the_receipt_says_what_was_asked_and_what_came() -> None:
    received, _ = chat({"input": "hi", "model": "gpt"})
    receipt = received.receipt
    assert {name: receipt[name] for name in ("api", "format", "model", "backend", "status", "chunks", "ended")} == {
        "api": "chat", "format": "sse", "model": "gpt", "backend": "main", "status": 200, "chunks": 2, "ended": "finished",
    }  # fmt: skip
    assert receipt["tokens"] == {"input": 9, "output": 2, "cached": 0, "reasoning": 0}
    assert receipt["invocation_id"] == "invocation-1"
