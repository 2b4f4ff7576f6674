"""One app with settings that do not contradict each other: keys, origins, deployments, a cap, the host's timeout."""

import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Probe, ask
from tests.app_process import JSON, App
from tests.worker.sim import ended, sim
from tests.worker.ways import STREAMS, WAYS, Outcome

KEY = "caller-key-PLANTED"
BEARER: dict[str, Any] = {"authorization": f"Bearer {KEY}"}
OURS, OTHER = "https://app.example.com", "http://localhost:3000"
SETTINGS = {
    "AUTH_MODE": "keys",
    "CALLER_KEYS": f"alice=sha256:{hashlib.sha256(KEY.encode()).hexdigest()}",
    "ALLOWED_ORIGINS": f"{OURS}, {OTHER}",
    "AZURE_OPENAI_API": "completions",
    "SYSTEM_PROMPT": "system-PLANTED",
    "MAX_OUTPUT_TOKENS": "999",
    "MAX_OPEN_STREAMS": "12",
    "AzureFunctionsJobHost__functionTimeout": "00:00:10",
}
SHORT: dict[str, Any] = {"tokens": 2, "interval": 0}


@pytest.fixture(scope="module")
def configured(simulator_process: Simulator) -> Iterator[App]:
    models = {"main": {"gpt": "gpt", "azure/gpt-x": "d1"}, "second": {"mini": "mini-west"}}
    backends = [
        {"name": name, "endpoint": simulator_process.backends[name], "deployments": deployments}
        for name, deployments in models.items()
    ]
    env: dict[str, Any] = SETTINGS | {"AZURE_OPENAI_BACKENDS": json.dumps(backends)}
    with App.start(simulator_process, arguments=("--verbose",), **env) as app:
        yield app


# Keys.


@pytest.mark.parametrize(
    "path", ["/chat", "/stream", "/v1/chat/completions", "/openai/deployments/gpt/chat/completions"]
)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}, {"x-ms-client-principal-id": "forged"}])
def test_without_a_key_of_ours_it_is_a_401_in_the_openai_shape(
    configured: App, simulator: Simulator, path: str, headers: dict[str, str]
) -> None:
    seen = configured.chat("hi", path, **headers)
    assert (seen.status, seen.json["error"]["code"]) == (401, "invalid_api_key")
    assert seen.headers["www-authenticate"] == "Bearer"
    assert simulator.requests() == []


@pytest.mark.parametrize("headers", [BEARER, {"api-key": KEY}, {"x-functions-key": KEY}])
def test_the_key_opens_in_each_header_and_goes_no_further(
    configured: App, simulator: Simulator, headers: dict[str, str]
) -> None:
    noise = {"cookie": "session=1", "x-ms-client-principal": "forged", "x-forwarded-for": "6.6.6.6", "x-custom": "1"}
    body = {"model": "gpt", "messages": [{"role": "user", "content": sim(**SHORT)}]}
    assert configured.chat(body, "/v1/chat/completions?code=hostkey", **headers, **noise).status == 200
    assert configured.chat(sim(**SHORT), "/chat?code=hostkey", **headers, **noise).status == 200
    for request in simulator.requests():
        everything = json.dumps(request)
        assert not [
            word for word in (KEY, "hostkey", "session=1", "forged", "6.6.6.6", "x-custom") if word in everything
        ]
    assert {receipt["caller"] for receipt in configured.receipts()} == {"alice"}


def test_health_and_home_are_open(configured: App) -> None:
    assert ask(configured.url + "/health").status == ask(configured.url + "/").status == 200


# Origins.


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions", "/openai/v1/responses"])
def test_a_preflight_of_an_allowed_origin_is_answered(configured: App, path: str) -> None:
    asked = {"origin": OURS, "access-control-request-headers": "authorization,content-type"}
    seen = ask(configured.url + path, method="OPTIONS", headers=asked | {"access-control-request-method": "POST"})
    assert seen.status == 204
    assert seen.headers["access-control-allow-origin"] == OURS
    assert seen.headers["access-control-allow-headers"] == "authorization,content-type"
    assert "POST" in seen.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [("/chat", sim(**SHORT), 200), ("/chat", "", 400), ("/v1/nothing", {}, 404), ("/v1/nothing", {}, 401)],
)
def test_answers_and_errors_can_be_read_by_an_allowed_origin_only(
    configured: App, path: str, body: Any, status: int
) -> None:
    key = {} if status == 401 else BEARER
    ours = configured.chat(body, path, origin=OTHER, **key)
    assert ours.status == status
    assert ours.headers["access-control-allow-origin"] == OTHER
    assert ours.headers["vary"] == "origin"
    theirs = configured.chat(body, path, origin="https://evil.example", **key)
    assert "access-control-allow-origin" not in theirs.headers


def test_the_root_varies_by_all_that_it_depends_on(configured: App) -> None:
    seen = ask(configured.url + "/", headers={"origin": OTHER})
    assert seen.headers["vary"] == "origin, accept"


# Models and the model's API.


def test_a_name_with_a_slash_is_found_however_the_slash_is_written(configured: App, simulator: Simulator) -> None:
    body = {"messages": [{"role": "user", "content": sim(**SHORT)}]}
    for name in ("azure/gpt-x", "azure%2Fgpt-x"):
        assert ask(f"{configured.url}/v1/models/{name}", headers=BEARER).json["id"] == "azure/gpt-x"
        path = f"/openai/deployments/{name}/chat/completions?api-version=x"
        assert configured.chat(body, path, **BEARER).status == 200
        assert json.loads(simulator.requests()[-1]["body"])["model"] == "d1"


def test_a_model_is_asked_only_where_it_is_deployed(configured: App, simulator: Simulator) -> None:
    def ask_for(model: str) -> Outcome:
        way = WAYS["openai chat"]
        return way.outcome(configured.chat(way.body(model, sim(**SHORT)), way.path, **BEARER))

    assert ask_for("mini").kind == "finished"
    assert json.loads(simulator.requests()[0]["body"])["model"] == "mini-west"
    assert ask_for("other") == Outcome("refused", "model_not_found", 404)
    assert {record["backend"] for record in simulator.requests()} == {"second"}


def test_the_completions_api_streams_too(configured: App, simulator: Simulator) -> None:
    simulator.behave({"tokens": ["Grüße", ", ", "Welt 😀"], "interval": 0})
    seen = configured.chat({"input": "hi", "max_output_tokens": 5000}, **BEARER)
    assert "".join(event["text"] for event in seen.events if event["type"] == "delta") == "Grüße, Welt 😀"
    assert seen.events[-1] == {"type": "finished", "finish_reason": "stop"}
    (request,) = simulator.requests()
    assert request["path"] == "/openai/v1/completions"
    assert "system-PLANTED" in request["body"]
    assert 999 in json.loads(request["body"]).values()


# Many, and long ones.


def test_a_cap_on_open_streams_is_a_503_with_retry_after(configured: App, simulator: Simulator) -> None:
    many = int(SETTINGS["MAX_OPEN_STREAMS"])
    open_ones = [configured.probe(sim(tokens=["first", *["x"] * 50], interval=0.1), **BEARER) for _ in range(many)]
    for probe in open_ones:
        probe.read_until(b"first")
    seen = configured.chat("hi", **BEARER)
    assert (seen.status, seen.json["error"]["code"], seen.headers["retry-after"]) == (503, "too_many_streams", "1")
    for probe in open_ones:
        probe.close()
    simulator.wait_for(ended="client_gone", count=many)
    deadline = time.monotonic() + 5
    while (status := configured.chat(sim(tokens=1, interval=0), **BEARER).status) != 200:
        assert (status, time.monotonic() < deadline) == (503, True)
        time.sleep(0.02)


def test_before_functiontimeout_an_answer_ends_honestly_in_every_format(configured: App, simulator: Simulator) -> None:
    prompt = sim(tokens=["Hello", *[" you"] * 200], interval=0.1)
    probes = {
        way.name: configured.probe(way.body("gpt", prompt), way.path, accept=way.accept, **BEARER)
        for way in [*STREAMS.values(), WAYS["chat json"]]
    }
    for name, probe in probes.items():
        outcome = WAYS[name].outcome(probe.read_all())
        if name in STREAMS:
            assert outcome == WAYS[name].broken("function_timeout", outcome.words)
        else:
            assert outcome == Outcome("refused", "function_timeout", 504)
    assert len(configured.receipts(count=len(probes), ended="function_timeout")) == len(probes)
    ended(simulator, "client_gone", count=len(probes))


# The log.


def test_no_prompt_answer_key_or_token_is_in_the_logs(configured: App, simulator: Simulator) -> None:
    faults: list[dict[str, Any]] = [
        {},
        {"end": "reset", "after": 1},
        {"end": "malformed", "after": 1},
        {"status": 400},
        {"status": 401},
    ]
    ids = []
    for way in WAYS.values():
        for fault in faults:
            behaviour = {"text": "answer-PLANTED and more", "tokens": 3, "interval": 0, **fault}
            prompt = f"prompt-PLANTED [[sim {json.dumps(behaviour)}]]"
            headers = {**JSON, "accept": way.accept, **BEARER}
            with Probe(configured.url + way.path, way.body("gpt", prompt), headers=headers) as probe:
                ids.append(probe.read_all().headers["x-request-id"])
    configured.chat(b'{"input": "broken-PLANTED', **BEARER)
    configured.chat("wrong key", authorization="Bearer wrong-PLANTED")
    assert all(configured.receipts(id=one) for one in ids)
    tokens = {record["headers"].get("authorization", "")[7:] for record in simulator.requests()}
    assert tokens
    assert "PLANTED" not in configured.log
    assert not [token for token in tokens if token in configured.log]
