"""What goes up: the caller's body but for what must change, and no header beyond a short list."""

import json
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.clients.conftest import MAX_OUTPUT_TOKENS
from tests.clients.samples import PIXEL, WEATHER, Forecast
from tests.clients.sides import MODEL, UPSTREAM_KEY, Both, Client, all_of, asks, now
from tests.harness.cells import cells
from tests.signed_ids import signed_id

ODD = (
    b' \n{ "model" :"gpt-4o-mini","messages":[{"role":"user",'
    b'"content":"Gr\xc3\xbc\xc3\x9fe \\u00e9 \\ud83d\\ude00 \xe2\x80\xa8"}],\n'
    b'\t"never_heard_of" : {"a":[1.10, 1e400, -0.0, 100000000000000000000000000000001]},"n": 1 , "seed":0.10e1 ,"user":null }'
)
SURROGATE = b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"cut \\ud83d here"}],"stop":"\\udc00"}'
ANSWER = {"raw": "e30=", "repeat": True}
"""`{}`, to whatever is asked."""
HEADERS_UP = {
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "openai-beta",
    "user-agent",
    "x-client-request-id",
    "x-ms-client-request-id",
    "x-stainless-arch",
    "x-stainless-async",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
}
PATHS = {
    "/v1/chat/completions": "chat/completions",
    "/v1/completions": "completions",
    "/v1/embeddings": "embeddings",
    "/v1/responses": "responses",
    "/openai/v1/chat/completions": "chat/completions",
    "/openai/v1/responses": "responses",
    "/openai/responses?api-version=2025-04-01-preview": "responses",
    "/openai/deployments/gpt-4o-mini/chat/completions?api-version=2025-04-01-preview": "chat/completions",
    "/openai/deployments/gpt-4o-mini/completions?api-version=2025-04-01-preview": "completions",
    "/openai/deployments/gpt-4o-mini/embeddings?api-version=2025-04-01-preview": "embeddings",
}


def sent(
    app: App, upstream: Simulator, key: str, body: bytes, path: str = "/v1/chat/completions", **headers: str
) -> dict[str, Any]:
    """The upstream's record of one request."""
    upstream.behave(main=ANSWER)
    more: dict[str, Any] = {"authorization": f"Bearer {key}", **headers}
    with app.probe(body, path, **more) as probe:
        probe.read_all()
    return upstream.requests()[-1]


def fields(body: str | bytes) -> dict[str, bytes]:
    """The raw bytes of every field."""
    raw = body if isinstance(body, bytes) else body.encode()
    return {name: bytes(value) for name, value in msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).items()}


@cells("path", PATHS)
def test_a_body_in_which_nothing_must_change_goes_up_byte_for_byte(
    app: App, upstream: Simulator, key: str, path: str
) -> None:
    record = sent(app, upstream, key, ODD, path)
    assert record["body"].encode() == ODD
    assert (record["path"], record["query"]) == (f"/openai/v1/{PATHS[path]}", "")
    assert record["headers"]["content-type"] == "application/json"


def test_the_deployment_of_the_path_is_the_model_of_the_body(app: App, upstream: Simulator, key: str) -> None:
    path = "/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21"
    record = sent(app, upstream, key, ODD, path)
    assert fields(record["body"]) == fields(ODD) | {"model": b'"my deployment"'}
    nameless = ODD.replace(b'"model"', b'"user"')
    assert fields(sent(app, upstream, key, nameless, path)["body"]) == fields(nameless) | {"model": b'"my deployment"'}


def test_an_alias_changes_the_model_and_nothing_else(mapped: App, upstream: Simulator, key: str) -> None:
    body = ODD.replace(b'"gpt-4o-mini"', b'"gpt-5-mini"').replace(b'"n": 1', b'"max_tokens": 5')
    record = sent(mapped, upstream, key, body)
    assert fields(record["body"]) == fields(body) | {"model": b'"gpt-4o-mini"'}


@cells(
    ("options", "expected"),
    [
        (b"", {"include_usage": True}),
        (b',"stream_options": null', {"include_usage": True}),
        (b',"stream_options": { "include_usage" : false}', {"include_usage": True}),
        (
            b',"stream_options": {"include_obfuscation":false, "odd": 1.10}',
            {"include_usage": True, "include_obfuscation": False, "odd": 1.1},
        ),
    ],
)
def test_a_stream_is_asked_for_its_usage_and_nothing_else_changes(
    app: App, upstream: Simulator, key: str, options: bytes, expected: dict[str, Any]
) -> None:
    body = ODD.replace(b'"n": 1', b'"stream": true' + options)
    came = fields(sent(app, upstream, key, body)["body"])
    assert json.loads(came.pop("stream_options")) == expected
    assert came == {name: value for name, value in fields(body).items() if name != "stream_options"}


def test_who_asks_for_the_usage_has_its_body_unchanged(app: App, upstream: Simulator, key: str) -> None:
    body = ODD.replace(b'"n": 1', b'"stream":true,"stream_options":{ "include_usage":true }')
    assert sent(app, upstream, key, body)["body"].encode() == body


@cells("path", ["/v1/responses", "/v1/embeddings"])
def test_what_has_no_usage_option_is_not_asked_for_it(app: App, upstream: Simulator, key: str, path: str) -> None:
    body = ODD.replace(b'"n": 1', b'"stream": true')
    assert sent(app, upstream, key, body, path)["body"].encode() == body


@cells(
    ("path", "given", "expected"),
    [
        ("/v1/chat/completions", b"", {"max_completion_tokens": MAX_OUTPUT_TOKENS}),
        ("/v1/chat/completions", b', "max_tokens": 900', {"max_tokens": MAX_OUTPUT_TOKENS}),
        ("/v1/chat/completions", b', "max_completion_tokens": 7', {"max_completion_tokens": 7}),
        ("/v1/completions", b', "max_tokens": null', {"max_tokens": MAX_OUTPUT_TOKENS}),
        ("/v1/responses", b', "max_output_tokens": 51', {"max_output_tokens": MAX_OUTPUT_TOKENS}),
        ("/v1/embeddings", b"", {}),
    ],
)
def test_a_cap_changes_the_limit_and_nothing_else(
    mapped: App, upstream: Simulator, key: str, path: str, given: bytes, expected: dict[str, int]
) -> None:
    body = ODD.replace(b'"n": 1', b'"n": 1' + given)
    came = fields(sent(mapped, upstream, key, body, path)["body"])
    assert came == fields(body) | {name: str(value).encode() for name, value in expected.items()}


def test_lone_surrogate_escapes_go_up_as_they_came(app: App, upstream: Simulator, key: str) -> None:
    assert sent(app, upstream, key, SURROGATE)["body"].encode() == SURROGATE
    streamed = SURROGATE.replace(b"}]", b'}],"stream":true')
    came = json.loads(sent(app, upstream, key, streamed)["body"])
    assert came == json.loads(streamed) | {"stream_options": {"include_usage": True}}


def test_a_large_body_goes_up_whole(app: App, upstream: Simulator, key: str) -> None:
    body = json.dumps(asks("é" * 300_000), ensure_ascii=False).encode()
    assert len(body) > 600_000
    assert sent(app, upstream, key, body)["body"].encode() == body


def test_what_a_client_asks_of_the_app_is_what_it_would_have_asked_of_the_upstream(
    both: Both, upstream: Simulator
) -> None:
    image = [{"type": "image_url", "image_url": {"url": PIXEL}}]

    async def case(client: Client) -> None:
        await now(client.chat.completions.create(**asks(image, n=2, logprobs=True, temperature=0.1, seed=7)))
        await all_of(client.chat.completions.create(**asks(), tools=[WEATHER], stream=True))
        await now(client.chat.completions.parse(**asks(), response_format=Forecast))
        await all_of(client.responses.create(model=MODEL, input="hello", stream=True, metadata={"a": "b"}))
        await now(client.responses.parse(model=MODEL, input="hello", text_format=Forecast))
        await now(client.embeddings.create(model=MODEL, input=["one"], dimensions=5))
        await all_of(client.completions.create(model=MODEL, prompt="hello", stream=True, suffix="!"))

    both.pair(case)
    bodies = [json.loads(record["body"]) for record in upstream.requests()]
    relayed, direct = bodies[:7], bodies[7:]
    for body in (relayed[1], relayed[6]):
        assert body.pop("stream_options") == {"include_usage": True}
    assert relayed == direct


# Headers and addresses.

FOREIGN = {
    "cookie": "session=sentinel",
    "x-functions-key": "sentinel",
    "x-ms-client-principal": "sentinel",
    "x-ms-client-principal-id": "sentinel",
    "x-ms-token-aad-access-token": "sentinel",
    "x-forwarded-for": "6.6.6.6, sentinel",
    "forwarded": "for=sentinel",
    "via": "1.1 sentinel",
    "referer": "http://sentinel/",
    "origin": "http://sentinel",
    "traceparent": "00-sentinel",
    "openai-organization": "sentinel",
    "openai-project": "sentinel",
    "x-stainless-lang": "sentinel",
    "x-stainless-custom": "sentinel",
    "user-agent": "sentinel",
    "accept-encoding": "br, sentinel",
    "accept-language": "sentinel",
    "x-simulate": '{"text": "sentinel"}',
    "ocp-apim-subscription-key": "sentinel",
}
KEPT = {"openai-beta": "assistants=v2", "x-client-request-id": "id-1", "x-ms-client-request-id": "id-2"}


@cells("path", [*PATHS, "/v1/responses/{}/cancel"])
@cells("how", ["authorization", "api-key"])
def test_only_headers_of_a_short_list_go_up(app: App, upstream: Simulator, key: str, path: str, how: str) -> None:
    credential = {"authorization": f"Bearer {key}"} if how == "authorization" else {"api-key": key}
    upstream.reset()
    upstream.behave(main=ANSWER)
    headers: dict[str, Any] = {**credential, **FOREIGN, **KEPT}
    with app.probe(ODD, path.format(signed_id("resp_1", caller="keys:clients")), **headers) as probe:
        probe.read_all()
    (record,) = upstream.requests()
    assert set(record["headers"]) <= HEADERS_UP
    assert record["headers"].items() >= KEPT.items()
    everything = json.dumps(record)
    assert "sentinel" not in everything
    assert key not in everything
    assert record["audience"] == "https://cognitiveservices.azure.com"  # this app's own identity


def test_a_clients_own_headers_and_query_stay_here(both: Both, upstream: Simulator, key: str) -> None:
    async def case(client: Client) -> None:
        theirs = client.with_options(
            default_headers=FOREIGN, default_query={"code": "sentinel", "clientId": "sentinel"}
        )
        await now(theirs.chat.completions.create(**asks()))
        made = await now(theirs.responses.create(model=MODEL, input="hello"))
        await all_of(theirs.responses.input_items.list(made.id, limit=5, order="asc"))

    both.at_app(case)
    records = upstream.requests()
    everything = json.dumps(records)
    assert "sentinel" not in everything
    assert key not in everything
    assert UPSTREAM_KEY not in everything
    assert [record["query"] for record in records[:3]] == ["", "", "limit=5&order=asc"]


def test_what_is_asked_of_a_stored_response_goes_up_as_it_came(both: Both, upstream: Simulator) -> None:
    include = ["message.output_text.logprobs", "reasoning.encrypted_content"]

    async def case(client: Client) -> None:
        made = await now(client.responses.create(model=MODEL, input="hello"))
        await now(client.responses.retrieve(made.id, include=include, include_obfuscation=True))
        await all_of(client.responses.input_items.list(made.id, include=include, order="desc", after="msg 1&x"))

    both.pair(case)
    queries = [sorted(parse_qsl(record["query"])) for record in upstream.requests()]
    relayed, direct = queries[:3], queries[3:]
    assert [("include[]", name) for name in include] == relayed[1][:2]
    assert relayed == [[(name, value) for name, value in query if name != "api-version"] for query in direct]
