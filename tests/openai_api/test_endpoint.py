"""The OpenAI API as it is called: addresses, methods, models, and what goes up and down beside the body."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from shared.errors import UpstreamCut
from shared.upstream.call import UpstreamCall
from tests.harness.app import GOOD, InProcessApp, play
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.frames import RESPONSE_ID
from tests.harness.upstream import JSON, Asked, Play, Says, Script, refuses

CHAT = "/v1/chat/completions"
ASK = {"model": "gpt", "messages": [{"role": "user", "content": "hi"}]}
STORED = f"/v1/responses/{RESPONSE_ID}"
ALIASES: dict[str, Any] = {"AZURE_OPENAI_MODELS": "small=mini-east,large=gpt-east", "AZURE_OPENAI_DEPLOYMENT": ""}


def call(
    path: str = CHAT,
    body: object = ASK,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    scripts: Mapping[str, Script] | Mapping[str, Script | list[Script]] | None = None,
    **settings: str,
) -> tuple[Received, list[Asked]]:
    async def scene(app: InProcessApp) -> tuple[Received, list[Asked]]:
        return await app.begin(path, body, method=method, headers=headers).end(), app.clients.asked

    return play(scene, scripts or {"main": GOOD}, **settings)


@cells("path", ["/v1/nothing", "/v1/chat", "/openai/deployments/d/nothing", "/v1/"])
def test_an_unknown_path_is_a_404_in_the_openai_shape(path: str) -> None:
    received, asked = call(path)
    assert (received.status, received.json["error"]["code"], asked) == (404, "not_found", [])


@cells("path", ["/v1/files", "/openai/v1/realtime", "/v1/images/variations"])
def test_what_is_not_served_of_openais_api_is_a_404_that_says_so(path: str) -> None:
    received, asked = call(path)
    error = received.json["error"]
    assert (received.status, error["code"], asked) == (404, "not_found", [])
    assert error["message"] == f"POST {path} is a part of OpenAI's API that this service does not serve."


@cells(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("PUT", CHAT, "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("POST", STORED, "DELETE, GET, HEAD"),
    ],
)
def test_a_wrong_method_names_the_right_ones(method: str, path: str, allowed: str) -> None:
    received, asked = call(path, method=method)
    assert (received.status, received.json["error"]["code"], asked) == (405, "method_not_allowed", [])
    assert received.headers["allow"] == allowed


@cells("path", ["/v1/responses", "/openai/deployments/gpt/chat/completions?api-version=x", "/v1/models"])
def test_opening_a_websocket_is_a_426_and_a_get_without_it_is_none(path: str) -> None:
    opening = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "eA==",
    }
    received, asked = call(path, b"", method="GET", headers=opening)
    assert (received.status, received.json["error"]["code"], asked) == (426, "websocket_not_supported", [])
    for name in ("connection", "upgrade"):  # what a proxy before the app may have removed
        del opening[name]
    assert call(path, b"", method="GET", headers=opening)[0].status == 426
    assert call(path, b"", method="GET")[0].status in (200, 405)


@cells(
    "path",
    [
        "/openai/deployments/gpt/chat/completions/?api-version=2024-02-01",
        "/openai/deployments/gpt//chat/completions",
        "/openai/chat/completions?api-version=x",
        "/v1//chat/completions",
        "/v1/chat/completions/",
    ],
)
def test_a_slash_too_many_and_a_base_without_deployment_change_nothing(path: str) -> None:
    received, (asked,) = call(path)
    assert (received.status, asked.call.path, asked.json["model"]) == (200, "chat/completions", "gpt")


@cells("path", ["/openai/deployments/gpt/responses", "/openai/deployments/gpt/responses?api-version=x"])
def test_the_responses_api_is_served_below_a_deployment(path: str) -> None:
    received, (asked,) = call(path, {"model": "ignored", "input": "hi", "stream": True})
    assert (received.status, asked.call.path, asked.json["model"]) == (200, "responses", "gpt")
    assert b"response.completed" in received.body


@cells("path", ["/v1/models", "/v1/models/gpt", "/openai/models"])
def test_what_can_be_read_can_be_probed_with_head(path: str) -> None:
    probed, asked = call(path, b"", method="HEAD")
    read, _ = call(path, b"", method="GET")
    assert (probed.status, probed.headers["content-length"], asked) == (200, read.headers["content-length"], [])


def test_a_deployment_that_no_backend_lists_is_azures_404() -> None:
    listed = [
        {"name": name, "endpoint": f"https://{name}.openai.azure.com", "deployments": {"gpt": "d1"}}
        for name in ("a", "b")
    ]
    scripts: dict[str, Script] = {"a": GOOD, "b": GOOD}
    backends = json.dumps(listed)
    for path in ("/openai/deployments/nope/chat/completions?api-version=x", "/openai/deployments/nope/responses"):
        received, asked = call(path, {"messages": []}, scripts=scripts, AZURE_OPENAI_BACKENDS=backends)
        assert (received.status, received.json["error"]["code"], asked) == (404, "DeploymentNotFound", [])


def test_a_name_with_a_slash_is_found_as_the_models_are_listed_however_it_arrives() -> None:
    listed = [{"name": "a", "endpoint": "https://a.openai.azure.com", "deployments": {"azure/gpt-x": "d1"}}]
    settings: dict[str, Any] = {"AZURE_OPENAI_BACKENDS": json.dumps(listed), "AZURE_OPENAI_DEPLOYMENT": "azure/gpt-x"}
    models, _ = call("/v1/models", b"", method="GET", **settings)
    assert [one["id"] for one in models.json["data"]] == ["azure/gpt-x"]
    for name in ("azure/gpt-x", "azure%2Fgpt-x", "azure%2fgpt-x"):  # as the worker's server decodes %252F
        assert call(f"/v1/models/{name}", b"", method="GET", **settings)[0].json["id"] == "azure/gpt-x"
        _, (asked,) = call(f"/openai/deployments/{name}/chat/completions?api-version=x", {"messages": []}, **settings)
        assert asked.json["model"] == "d1"


def test_a_body_that_is_no_json_is_a_415_and_a_missing_key_a_401() -> None:
    assert call(headers={"content-type": "text/plain"})[0].status == 415
    entry = f"alice=sha256:{hashlib.sha256(b'k').hexdigest()}"
    received, asked = call(AUTH_MODE="keys", CALLER_KEYS=entry)
    assert (received.status, received.json["error"]["code"], asked) == (401, "invalid_api_key", [])


@cells(
    ("body", "code", "param"),
    [
        (b"{nope", "invalid_json", None),
        (b"[1]", "invalid_json", None),
        (b"\xff{}", "invalid_json", None),
        (b'{"model":"' + b"m" * 300 + b'"}', "invalid_request", "model"),
        (b'{"model":7}', "invalid_request", "model"),
        (b'{"model":"gpt","stream":"yes"}', "invalid_request", "stream"),
        (rb'{"model":"gpt","stream":"\ud800"}', "invalid_request", "stream"),
    ],
)
def test_a_bad_body_is_a_400_and_asks_nobody(body: bytes, code: str, param: str | None) -> None:
    received, asked = call(body=body)
    assert (received.status, received.json["error"]["code"], asked) == (400, code, [])
    assert received.json["error"]["param"] == param


# Models.


def test_the_models_are_those_that_this_app_serves() -> None:
    received, asked = call("/v1/models", b"", method="GET", **ALIASES)
    assert [model["id"] for model in received.json["data"]] == ["small", "large"]
    assert (received.json["object"], asked) == ("list", [])
    received, _ = call("/v1/models/large", b"", method="GET", **ALIASES)
    assert received.json == {"id": "large", "object": "model", "created": 0, "owned_by": "azure-openai"}


@cells(
    ("setting", "address", "owner"),
    [
        ("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com", "azure-openai"),
        ("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:7072", "simulated"),
        ("OPENAI_BASE_URL", "http://localhost:11434/v1", "local"),
        ("OPENAI_BASE_URL", "http://192.168.1.20:11434/v1", "local"),
        ("OPENAI_BASE_URL", "https://api.openai.com/v1", "openai-compatible"),
    ],
)
def test_a_model_list_says_who_runs_the_models_and_no_address(setting: str, address: str, owner: str) -> None:
    given = {"AZURE_OPENAI_ENDPOINT": "", "OPENAI_BASE_URL": ""} | {setting: address}
    received, _ = call(
        "/v1/models",
        b"",
        method="GET",
        AZURE_OPENAI_BACKENDS="",
        AZURE_OPENAI_ENDPOINT=given["AZURE_OPENAI_ENDPOINT"],
        OPENAI_BASE_URL=given["OPENAI_BASE_URL"],
    )
    assert received.json["data"] == [{"id": "gpt", "object": "model", "created": 0, "owned_by": owner}]


def test_a_model_that_is_not_served_is_not_found() -> None:
    received, _ = call("/v1/models/other", b"", method="GET", **ALIASES)
    assert (received.status, received.json["error"]["code"]) == (404, "model_not_found")


@cells(
    ("path", "code"),
    [
        (CHAT, "model_not_found"),
        ("/openai/v1/chat/completions", "model_not_found"),
        ("/openai/deployments/gpt/chat/completions", "DeploymentNotFound"),
    ],
)
def test_a_call_for_a_model_that_is_not_served_is_the_404_of_its_surface(path: str, code: str) -> None:
    received, asked = call(path, **ALIASES)
    assert (received.status, received.json["error"]["code"], received.json["error"]["param"]) == (404, code, "model")
    assert asked == []


@cells(
    ("path", "model"),
    [(CHAT, "small"), ("/openai/deployments/small/chat/completions?api-version=2024-10-21", "ignored")],
)
def test_an_alias_is_asked_for_by_its_deployment(path: str, model: str) -> None:
    _, (asked,) = call(path, {**ASK, "model": model}, **ALIASES)
    assert (asked.deployment, asked.json["model"], asked.call.path) == ("mini-east", "mini-east", "chat/completions")
    assert asked.call.query == ()


def test_a_model_is_asked_for_only_where_it_is_deployed() -> None:
    backends = [
        {"name": "east", "endpoint": "https://e.openai.azure.com", "deployments": {"gpt": "gpt-east"}},
        {"name": "west", "endpoint": "https://w.openai.azure.com", "deployments": {"mini": "mini-west"}},
    ]
    scripts: dict[str, Script] = {"east": GOOD, "west": GOOD}
    listed = json.dumps(backends)
    received, (asked,) = call(body={**ASK, "model": "mini"}, scripts=scripts, AZURE_OPENAI_BACKENDS=listed)
    assert (received.status, asked.backend, asked.deployment, asked.json["model"]) == (
        200,
        "west",
        "mini-west",
        "mini-west",
    )
    received, nobody = call(body={**ASK, "model": "other"}, scripts=scripts, AZURE_OPENAI_BACKENDS=listed)
    assert (received.status, received.json["error"]["code"], nobody) == (404, "model_not_found", [])


# What goes up.


def test_the_callers_bytes_go_up_as_they_came_where_nothing_must_change() -> None:
    raw = b'{ "model":"gpt", "messages":[], "odd": 1e400, "big": 123456789012345678901234567890 }'
    _, (asked,) = call(body=raw)
    assert asked.raw == raw


@cells(
    ("path", "odd"),
    [
        (CHAT, rb'"x":1e400,"y":"\ud800","z":-1E+999,"n":123456789012345678901234567890,"deep":[{"\udfff":1e-999}]'),
        ("/v1/completions", rb'"x":1e400,"y":"\ud800"'),
        ("/v1/responses", rb'"x":1e400,"y":"\ud800"'),
    ],
)
@cells("limit", [{}, {"MAX_OUTPUT_TOKENS": "5"}], ids=["no limit", "a limit"])
def test_what_goes_up_is_json_and_odd_numbers_and_texts_go_up_as_they_came(
    path: str, odd: bytes, limit: dict[str, Any]
) -> None:
    raw = b"{" + odd + b',"model":"gpt","stream":true,"messages":[]}'
    _, (asked,) = call(path, raw, **limit)
    assert asked.raw is not None
    assert odd in asked.raw
    assert not {b"Infinity", b"NaN"} & set(re.findall(rb"[A-Z][a-zA-Z]+", asked.raw))
    assert asked.json["stream"] is True


def test_a_stream_is_asked_for_its_usage_and_the_caller_sees_it_only_if_it_asked() -> None:
    received, (asked,) = call(body={**ASK, "stream": True})
    assert asked.json["stream_options"] == {"include_usage": True}
    assert b"usage" not in received.body
    assert received.receipt["tokens"]["output"] == 2
    received, _ = call(body={**ASK, "stream": True, "stream_options": {"include_usage": True}})
    assert b'"usage"' in received.body


def test_the_deployments_cap_holds_here_too() -> None:
    _, (asked,) = call(body={**ASK, "max_tokens": 100}, MAX_OUTPUT_TOKENS="50")
    assert asked.json["max_tokens"] == 50


def test_the_cap_holds_for_a_limit_under_another_apis_name() -> None:
    _, (asked,) = call(body={**ASK, "max_output_tokens": 100}, MAX_OUTPUT_TOKENS="50")
    assert (asked.json["max_completion_tokens"], asked.json["max_output_tokens"]) == (50, 50)
    _, (asked,) = call("/v1/responses/compact", body={"model": "gpt", "max_output_tokens": 100}, MAX_OUTPUT_TOKENS="50")
    assert asked.json["max_output_tokens"] == 50


def test_of_the_callers_headers_only_the_protocols_own_go_up() -> None:
    headers = {"openai-beta": "x", "x-client-request-id": "c1", "x-ms-client-request-id": "é", "cookie": "a=b"}
    _, (asked,) = call(headers={**headers, "authorization": "Bearer secret", "x-custom": "1"})
    assert asked.call.headers == {"openai-beta": "x", "x-client-request-id": "c1"}


IMAGE = {"x-ms-oai-image-generation-deployment": "gpt-image-1"}
DRAW: dict[str, Any] = {
    "model": "gpt",
    "input": "draw",
    "tools": [{"type": "image_generation", "output_format": "png"}],
}


@cells("stream", [False, True], ids=["whole", "stream"])
def test_the_deployment_that_draws_travels_with_the_request(stream: bool) -> None:
    def account(call: UpstreamCall) -> Play:
        if call.headers.get("x-ms-oai-image-generation-deployment") == "gpt-image-1":
            return GOOD(call)
        message = "imagegen deployment must be provided through header: x-ms-oai-image-generation-deployment"
        return refuses(400, {"code": "invalid_request_error", "param": "tools", "message": message})

    body = {**DRAW, "stream": stream}
    received, asked = call("/v1/responses", body, headers=IMAGE, scripts={"main": account})
    assert (received.status, len(asked)) == (200, 1)
    assert call("/v1/responses", body, scripts={"main": account})[0].status == 400


@cells("path", [CHAT, "/v1/embeddings", "/openai/deployments/gpt/chat/completions", "/chat", "/stream"])
@cells("name", ["x-policy-id", "x-ms-spillover-deployment"])
def test_a_header_that_chooses_goes_up_where_it_is_allowed_and_is_refused_by_name_otherwise(
    path: str, name: str
) -> None:
    body = {"input": "hi"} if path in ("/chat", "/stream") else ASK
    refused, nobody = call(path, body, headers={name: "strict"})
    assert (refused.status, refused.json["error"]["code"], nobody) == (400, "header_not_allowed", [])
    assert name in refused.json["error"]["message"]
    received, (asked,) = call(path, body, headers={name: "strict"}, PASS_HEADERS=name)
    assert (received.status, asked.call.headers[name]) == (200, "strict")


@cells("path", ["/v1/responses", "/openai/v1/responses", "/openai/responses"])
def test_the_previews_of_the_current_surface_can_be_asked_for(path: str) -> None:
    _, (asked,) = call(f"{path}?api-version=preview&code=secret", DRAW)
    assert list(asked.call.query) == [("api-version", "preview")]
    _, (asked,) = call(f"{path}?api-version=2025-04-01-preview", DRAW)
    assert list(asked.call.query) == []


# What comes down.


@cells("stream", [False, True], ids=["whole", "stream"])
def test_what_says_where_a_provisioned_deployments_answer_came_from_comes_down(stream: bool) -> None:
    sent = {
        "azure-openai-deployment-utilization": "93.4%",
        "x-ms-deployment-name": "ptu-1",
        "x-ms-spillover-from-deployment": "ptu-0",
        "x-should-retry": "false",
    }
    received, _ = call(body={**ASK, "stream": stream}, scripts={"main": Says(headers=sent)})
    assert received.headers.items() >= sent.items()
    error, _ = call(body={**ASK, "stream": stream}, scripts={"main": refuses(400, {"message": "No."}, headers=sent)})
    assert error.status == 400
    assert error.headers.items() >= sent.items()


@cells("stream", [False, True], ids=["whole", "stream"])
def test_the_upstreams_own_headers_come_down_and_no_others(stream: bool) -> None:
    sent = {
        "x-request-id": "up-1", "apim-request-id": "apim-1", "x-ratelimit-remaining-tokens": "7", "retry-after": "1",
        "x-ms-region": "East", "set-cookie": "a=b", "x-internal": "secret", "server": "envoy",
    }  # fmt: skip
    received, _ = call(body={**ASK, "stream": stream}, scripts={"main": Says(headers=sent)})
    for name in ("x-request-id", "apim-request-id", "x-ratelimit-remaining-tokens", "retry-after", "x-ms-region"):
        assert received.headers[name] == sent[name]
    assert not {"set-cookie", "x-internal", "server"} & set(received.headers)
    assert received.receipt["upstream_request_id"] == "up-1"


def test_a_body_in_one_piece_keeps_its_length_and_encoding() -> None:
    play_ = Play(body=[b"\x1f\x8bzipped"], headers={**JSON, "content-length": "8", "content-encoding": "gzip"})
    received, _ = call(scripts={"main": play_})
    assert (received.headers["content-length"], received.headers["content-encoding"]) == ("8", "gzip")
    assert received.body == b"\x1f\x8bzipped"


def test_an_upstreams_error_comes_down_as_it_is() -> None:
    error = {"message": "Nein.", "code": "content_filter", "innererror": {"code": "X"}}
    received, _ = call(scripts={"main": refuses(400, error, headers={"x-request-id": "up-2", "x-internal": "secret"})})
    assert (received.status, received.json["error"]) == (400, error)
    assert received.headers["x-request-id"] == "up-2"
    assert "x-internal" not in received.headers


@cells("stream", [False, True], ids=["whole", "stream"])
def test_where_streaming_is_off_a_stream_leaves_in_one_piece(stream: bool) -> None:
    received, _ = call(body={**ASK, "stream": stream}, STREAMING_ENABLED="false")
    assert received.is_completed
    assert b"Hello" in received.body
    if stream:
        assert len(received.writes) == 1
        assert received.body.endswith(b"data: [DONE]\n\n")


def test_a_stream_that_leaves_in_one_piece_is_bounded() -> None:
    words = ["x" * 1_000_000] * 40
    received, _ = call(body={**ASK, "stream": True}, scripts={"main": Says(words=words)}, STREAMING_ENABLED="false")
    assert (received.status, received.json["error"]["code"]) == (502, "upstream_frame_too_large")


def test_a_stream_that_leaves_in_one_piece_and_breaks_is_a_status() -> None:
    received, _ = call(
        body={**ASK, "stream": True},
        scripts={"main": Says(then=lambda _: [UpstreamCut("It broke.")])},
        STREAMING_ENABLED="false",
    )
    assert (received.status, received.json["error"]["code"]) == (502, "upstream_cut")


# Stored responses. Whose they are, and where: test_stored_responses.py.


def call_stored(
    script: Script, rest: str = "", body: bytes = b"", *, method: str = "GET"
) -> tuple[Received, Asked, str]:
    """Ask for a response that was just stored. Return what came, how the account was asked, and the id there."""

    async def scene(app: InProcessApp) -> tuple[Received, Asked, str]:
        stored = await app.begin("/v1/responses", {"model": "gpt", "input": "hi", "stream": True}).end()
        found = re.search(rb'"id":"(resp_[^"]{50,})"', stored.body)
        assert found is not None
        received = await app.begin(f"/v1/responses/{found[1].decode()}{rest}", body, method=method).end()
        return received, app.clients.asked[-1], found[1].decode()

    return play(scene, {"main": [GOOD, script]})


@cells(
    ("method", "rest", "body"),
    [
        ("GET", "", b""),
        ("DELETE", "", b""),
        ("POST", "/cancel", b""),
        ("POST", "/cancel", b"{}"),
        ("GET", "/input_items", b""),
    ],
)
def test_a_stored_response_is_asked_for_by_the_accounts_own_id(method: str, rest: str, body: bytes) -> None:
    received, asked, _ = call_stored(Play(body=[b"{}"], headers=JSON), rest, body, method=method)
    assert (received.status, received.body, received.receipt["format"]) == (200, b"{}", "whole")
    assert (asked.call.method, asked.call.path) == (method, f"responses/{RESPONSE_ID}{rest}")
    assert not asked.call.streams
    assert asked.raw == (body or None)


def test_a_probe_of_a_stored_response_reads_it_and_nothing_else_happens_to_it() -> None:
    received, asked, _ = call_stored(
        Play(body=[b"{}"], headers=JSON), "?stream=true&starting_after=3&x=1", method="HEAD"
    )
    assert (received.status, received.headers["content-length"]) == (200, "2")
    assert (asked.call.method, asked.call.streams, list(asked.call.query)) == ("GET", False, [("x", "1")])


def test_a_deleted_response_may_be_answered_with_nothing() -> None:
    received, _, _ = call_stored(Play(status=204, headers={}), method="DELETE")
    assert (received.status, received.body, received.is_completed) == (204, b"", True)


def test_the_query_goes_up_without_what_is_the_hosts_or_azures() -> None:
    query = "include%5B%5D=a&include%5B%5D=b&code=secret&api-version=1&clientId=x&after=3"
    _, asked, _ = call_stored(Play(body=[b"{}"], headers=JSON), f"/input_items?{query}")
    assert list(asked.call.query) == [("include[]", "a"), ("include[]", "b"), ("after", "3")]


def test_a_stored_response_can_be_streamed_from_where_it_was_left() -> None:
    received, asked, signed = call_stored(GOOD, "?stream=true&starting_after=1")
    assert (asked.call.streams, received.receipt["format"]) == (True, "stream")
    assert b"response.completed" in received.body
    assert signed.encode() in received.body
