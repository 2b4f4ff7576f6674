"""Every failure reaches the caller as the exception that the client's documents promise, never as an end."""

import time
from functools import partial
from typing import Any

import openai
import pytest

from dev.simulator.control import Simulator
from tests.app_process import App
from tests.clients.asking import APIS, ask, said
from tests.clients.conftest import MAX_REQUEST_BYTES
from tests.clients.pairwise import pairwise
from tests.clients.sides import (
    KINDS,
    MODEL,
    Both,
    Client,
    all_of,
    asks,
    comparable,
    elements_and_error,
    entered,
    error_of,
    facts,
    make_client,
    now,
)
from tests.harness.cells import cells
from tests.worker.sim import sim

ERROR_BODY = {
    "message": "No such thing.",
    "type": "invalid_request_error",
    "param": "temperature",
    "code": "no_such_thing",
}
REFUSALS: dict[str, tuple[dict[str, Any], type[openai.APIStatusError]]] = {
    "400": ({"status": 400, "error": ERROR_BODY}, openai.BadRequestError),
    "400 content_filter": ({"status": 400, "error": "content_filter"}, openai.BadRequestError),
    "404": ({"status": 404, "error": "DeploymentNotFound"}, openai.NotFoundError),
    "409": ({"status": 409}, openai.ConflictError),
    "413": ({"status": 413}, openai.APIStatusError),
    "422": ({"status": 422}, openai.UnprocessableEntityError),
    "429": ({"status": 429, "headers": {"retry-after": "7", "retry-after-ms": "6500"}}, openai.RateLimitError),
    "500": ({"status": 500}, openai.InternalServerError),
    "502": ({"status": 502}, openai.InternalServerError),
    "503": ({"status": 503, "headers": {"retry-after": "30"}}, openai.InternalServerError),
}
ENDS = ("cut", "eof", "reset")
ORDERS = ("failed_first", "error_first", "error_only", "failed_only")


@pytest.mark.parametrize(
    ("both", "refusal", "api", "stream"), pairwise(KINDS, REFUSALS, APIS, [False, True]), indirect=["both"]
)
def test_a_refusal_is_the_same_exception_at_the_call_itself(both: Both, refusal: str, api: str, stream: bool) -> None:
    behaviour, expected = REFUSALS[refusal]

    async def case(client: Client) -> Any:
        error = await error_of(lambda: ask(client, api, sim(**behaviour), stream=stream))
        assert type(error) is expected
        return facts(error)

    found = both.same(case)
    assert found["status"] == behaviour["status"]
    for name, value in behaviour.get("headers", {}).items():
        assert found[name] == value


def test_a_refusal_keeps_its_code_and_the_parameter_that_it_names(both: Both) -> None:
    error = both.at_app(lambda client: error_of(lambda: ask(client, "chat", sim(status=400, error=ERROR_BODY))))
    assert (error.code, error.param, error.type) == ("no_such_thing", "temperature", "invalid_request_error")


def test_the_content_filter_keeps_what_it_says_about_the_prompt(both: Both) -> None:
    error = both.at_app(lambda client: error_of(lambda: ask(client, "chat", sim(status=400, error="content_filter"))))
    assert (error.code, error.param) == ("content_filter", "prompt")
    assert error.body["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    assert error.body["innererror"]["content_filter_result"]["violence"] == {"filtered": True, "severity": "medium"}


def test_what_the_service_finds_wrong_in_a_request_is_told_as_it_tells_it(both: Both) -> None:
    wrong: list[dict[str, Any]] = [{"temperature": 5}, {"messages": []}, {"n": 0}, {"extra_body": {"no_such": 1}}]

    async def case(client: Client) -> Any:
        return [facts(await error_of(partial(client.chat.completions.create, **asks() | one))) for one in wrong]

    params = [found["param"] for found in both.same(case)]
    assert params == ["temperature", "messages", "n", "no_such"]


@pytest.mark.parametrize(
    ("both", "status", "api", "stream"), pairwise(KINDS, [401, 403], APIS, [False, True]), indirect=["both"]
)
def test_an_upstream_that_refuses_this_apps_identity_is_never_the_callers_wrong_key(
    both: Both, status: int, api: str, stream: bool
) -> None:
    error = both.at_app(lambda client: error_of(lambda: ask(client, api, sim(status=status), stream=stream)))
    assert type(error) is openai.InternalServerError
    assert (error.status_code, error.code) == (502, "upstream_identity_refused")
    assert "Cognitive Services OpenAI User" in error.message


# The caller's key.


def test_a_wrong_key_is_an_authentication_error(both: Both, app: App, upstream: Simulator) -> None:
    async def case(_: Client) -> Any:
        async with entered(make_client(both.kind, app.url, "wrong")) as client:
            return [
                await error_of(lambda: client.chat.completions.create(**asks())),
                await error_of(lambda: client.chat.completions.create(**asks(), stream=True)),
                await error_of(lambda: client.responses.create(model=MODEL, input="hello")),
                await error_of(lambda: client.embeddings.create(model=MODEL, input="hello")),
                await error_of(lambda: client.models.retrieve(MODEL)),
                await error_of(lambda: client.responses.retrieve("resp_1")),
            ]

    for error in both.at_app(case):
        assert type(error) is openai.AuthenticationError
        assert (error.status_code, error.code) == (401, "invalid_api_key")
    assert upstream.requests() == []


def test_the_key_opens_as_a_token_of_azure_too(app: App, key: str) -> None:
    client = openai.AzureOpenAI(
        azure_endpoint=app.url, api_version="2025-04-01-preview", azure_ad_token=key, max_retries=0
    )
    with client:
        assert client.chat.completions.create(**asks()).choices[0].message.content


def test_the_hosts_function_key_can_go_in_a_header_of_its_own(upstream: Simulator) -> None:
    with App.start(upstream, arguments=("--keys", "host-key"), AUTH_MODE="function") as app:
        for headers, expected in (({}, openai.AuthenticationError), ({"x-functions-key": "host-key"}, None)):
            with make_client("openai", app.url, "unused", default_headers=headers) as client:
                if expected is not None:
                    with pytest.raises(expected):
                        client.chat.completions.create(**asks())
                else:
                    assert client.chat.completions.create(**asks()).choices[0].message.content


# Models.


@pytest.mark.parametrize("both", [kind for kind in KINDS if not kind.endswith("deployment")], indirect=True)
def test_a_model_that_the_upstream_does_not_have_is_its_404(both: Both) -> None:
    async def case(client: Client) -> Any:
        calls = [
            lambda: client.chat.completions.create(**asks() | {"model": "missing"}),
            lambda: client.responses.create(model="missing", input="hello", stream=True),
            lambda: client.embeddings.create(model="missing", input="hello"),
        ]
        return [facts(await error_of(call)) for call in calls]

    for found in both.same(case):
        assert (found["class"], found["code"]) == ("NotFoundError", "DeploymentNotFound")


def test_a_model_that_this_app_does_not_serve_is_not_found(mapped_both: Both, upstream: Simulator) -> None:
    has_fixed_deployment = mapped_both.kind.endswith("deployment")

    async def case(client: Client) -> Any:
        calls = [
            lambda: client.responses.create(model="other", input="hello", stream=True),
            lambda: client.chat.completions.create(**asks() | {"model": "other"}, stream=True),
            lambda: client.completions.create(model="other", prompt="hello"),
            lambda: client.embeddings.create(model="other", input="hello"),
        ]
        return [await error_of(call) for call in (calls[:1] if has_fixed_deployment else calls)]

    for error in mapped_both.at_app(case):
        assert type(error) is openai.NotFoundError
        assert error.code == ("DeploymentNotFound" if mapped_both.is_azure else "model_not_found")
        assert error.param == "model"
    assert (
        type(mapped_both.at_app(lambda client: error_of(lambda: client.models.retrieve("other"))))
        is openai.NotFoundError
    )
    assert upstream.requests() == []


def test_an_alias_is_answered_by_its_deployment(mapped_both: Both, upstream: Simulator) -> None:
    answer = mapped_both.at_app(lambda client: now(client.responses.create(model=MODEL, input="hello")))
    assert answer.model.startswith("gpt-4o-mini")
    answer = mapped_both.at_app(lambda client: now(client.chat.completions.create(**asks())))
    assert answer.model.startswith("gpt-4o-mini")


def test_what_this_app_does_not_serve_is_not_found(both: Both, upstream: Simulator) -> None:
    async def case(client: Client) -> Any:
        calls = [
            lambda: client.files.list(),
            lambda: client.vector_stores.list(),
            lambda: client.moderations.create(input="hello"),
            lambda: client.fine_tuning.jobs.list(),
            lambda: client.batches.list(),
        ]
        return [await error_of(call) for call in calls]

    for error in both.at_app(case):
        assert (type(error), error.code) == (openai.NotFoundError, "not_found")
    assert upstream.requests() == []


# Limits.


def test_a_body_that_is_too_large_is_a_413(mapped_both: Both, upstream: Simulator) -> None:
    large = "x" * MAX_REQUEST_BYTES
    error = mapped_both.at_app(lambda client: error_of(lambda: ask(client, "chat", large)))
    assert type(error) is openai.APIStatusError
    assert (error.status_code, error.code) == (413, "request_too_large")
    assert upstream.requests() == []


def test_the_clients_own_retry_waits_as_long_as_the_service_says(both: Both, upstream: Simulator) -> None:
    limited = {"status": 429, "headers": {"retry-after": "30", "retry-after-ms": "1050"}}
    upstream.behave(main=[limited, {"tokens": ["Hello"]}])
    api = "responses" if both.is_azure else "chat"
    began = time.monotonic()
    stream = both.at_app(lambda client: all_of(ask(client.with_options(max_retries=1), api)))
    assert said(stream) == "Hello"
    assert 1.05 <= time.monotonic() - began < 10
    assert [request["status"] for request in upstream.requests()] == [429, 200]


# Streams that fail.


@pytest.mark.parametrize(("both", "api", "end"), pairwise(KINDS, APIS, ENDS), indirect=["both"])
def test_a_stream_that_is_cut_after_content_raises(both: Both, api: str, end: str) -> None:
    async def case(client: Client) -> Any:
        stream = await now(ask(client, api, sim(tokens=["Hello", " you", " and"], end=end, after=2)))
        return await elements_and_error(stream)

    elements, error = both.at_app(case)
    assert said(elements) == "Hello you"
    assert type(error) is openai.APIError
    assert error.code == "upstream_cut"


@pytest.mark.parametrize(("both", "api", "end"), pairwise(KINDS, APIS, ENDS), indirect=["both"])
def test_the_stream_helpers_raise_too(both: Both, api: str, end: str) -> None:
    prompt = sim(tokens=["Hello", " you", " and"], end=end, after=2)

    async def case(client: Client) -> Any:
        if api == "chat":
            manager = client.chat.completions.stream(**asks(prompt))
        else:
            manager = client.responses.stream(model=MODEL, input=prompt)
        async with entered(manager) as stream:
            final = stream.get_final_completion if api == "chat" else stream.get_final_response
            return await error_of(final)

    error = both.at_app(case)
    assert type(error) is openai.APIError
    assert error.code == "upstream_cut"


@cells("end", ENDS)
def test_a_legacy_completion_that_is_cut_raises(both: Both, end: str) -> None:
    async def case(client: Client) -> Any:
        prompt = sim(tokens=["Hello", " you", " and"], end=end, after=2)
        return await elements_and_error(await now(client.completions.create(model=MODEL, prompt=prompt, stream=True)))

    elements, error = both.at_app(case)
    assert said(elements) == "Hello you"
    assert type(error) is openai.APIError


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize(
    ("both", "end", "code"),
    [*((kind, "malformed", "upstream_malformed") for kind in KINDS), ("openai", "stall", "upstream_silent")],
    indirect=["both"],
)
def test_a_stream_that_breaks_in_another_way_raises_too(both: Both, api: str, end: str, code: str) -> None:
    async def case(client: Client) -> Any:
        stream = await now(ask(client, api, sim(tokens=["Hello", " you", " and"], end=end, after=2)))
        return await elements_and_error(stream)

    elements, error = both.at_app(case)
    assert said(elements) == "Hello you"
    assert type(error) is openai.APIError
    assert error.code == code


@cells("api", APIS)
def test_a_whole_answer_that_is_cut_is_the_same_exception(both: Both, api: str) -> None:
    async def case(client: Client) -> Any:
        unstored = {"store": False} if api == "responses" else {}
        return facts(await error_of(lambda: ask(client, api, sim(end="cut"), stream=False, **unstored)))

    assert both.same(case)["class"] == "APIConnectionError"


def test_a_stored_response_that_is_cut_is_a_status_because_it_is_sent_once_it_is_complete(both: Both) -> None:
    error = both.at_app(lambda client: error_of(lambda: ask(client, "responses", sim(end="cut"), stream=False)))
    assert (error.status_code, error.code) == (502, "upstream_cut")


@cells("api", APIS)
def test_an_error_event_after_content_is_the_same_exception(both: Both, api: str) -> None:
    async def case(client: Client) -> Any:
        prompt = sim(tokens=["Hello", " you", " and"], in_stream_error={"at": 2, "order": "failed_first"})
        elements, error = await elements_and_error(await now(ask(client, api, prompt)))
        return said(elements), comparable(elements), facts(error)

    text, elements, error = both.same(case)
    assert text == "Hello you"
    assert (error["class"], error["code"]) == ("APIError", "rate_limit_exceeded")
    assert api == "chat" or elements[-1]["type"] == "response.failed"


@pytest.mark.parametrize(("both", "shape", "order"), pairwise(KINDS, ["nested", "flat"], ORDERS), indirect=["both"])
def test_error_events_of_a_response_pass_in_whichever_shape_they_come(both: Both, shape: str, order: str) -> None:
    async def case(client: Client) -> Any:
        prompt = sim(tokens=["Hello", " you"], in_stream_error={"at": 1, "order": order, "shape": shape})
        elements, error = await elements_and_error(await now(ask(client, "responses", prompt)))
        return [element.type for element in elements], facts(error) if error else None

    (kinds, error), (direct_kinds, direct_error) = map(comparable, both.pair(case))
    assert kinds == direct_kinds
    if (order, shape) == ("error_only", "flat"):
        # This client does not raise a flat event: at the upstream such a stream ends as a whole one does.
        assert (direct_error, error["class"], kinds[-1]) == (None, "APIConnectionError", "error")
    else:
        assert error == direct_error
        assert error or kinds[-1] in ("error", "response.failed")


@cells("shape", ["nested", "flat"])
def test_a_limit_told_inside_a_200_before_content_is_a_rate_limit_at_the_call_itself(both: Both, shape: str) -> None:
    for order in ("failed_first", "error_first"):
        prompt = sim(in_stream_error={"order": order, "shape": shape})
        error = both.at_app(lambda client: error_of(partial(ask, client, "responses", prompt)))  # noqa: B023 - used at once
        assert type(error) is openai.RateLimitError
        assert error.code == "rate_limit_exceeded"


def test_the_rows_hold_every_pair_of_values_and_are_fewer_than_the_product() -> None:
    columns = (range(4), range(10), range(2), range(2))
    rows = pairwise(*columns)
    for one in range(4):
        for other in range(one):
            found = {(row[one], row[other]) for row in rows}
            assert len(found) == len(columns[one]) * len(columns[other])
    assert len(rows) < 50
