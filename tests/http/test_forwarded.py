"""What of a request's head goes up, what of a response's head comes down, and what is refused."""

import pytest
from starlette.datastructures import Headers, QueryParams

from shared.config.settings import Settings
from shared.errors import BadRequest, HeaderNotAllowed
from shared.http.forwarded import CHOOSING, DOWN, UP, headers_down, headers_up, query_up
from tests.harness.cells import cells


def settings(**values: str) -> Settings:
    return Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", **values})


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode()) for name, value in pairs])


@cells("name", UP)
def test_each_header_of_the_table_goes_up(name: str) -> None:
    assert headers_up(settings(), headers((name, "value"))) == {name: "value"}


def test_keys_cookies_and_what_a_client_says_of_itself_stay_here() -> None:
    names = (
        "authorization",
        "api-key",
        "x-functions-key",
        "cookie",
        "user-agent",
        "x-stainless-lang",
        "openai-organization",
    )
    assert headers_up(settings(), headers(*((name, "value") for name in names))) == {}


@cells(("name", "choice"), CHOOSING.items())
def test_what_chooses_a_filter_or_a_deployment_goes_up_only_where_the_operator_allows_it(
    name: str, choice: str
) -> None:
    with pytest.raises(HeaderNotAllowed, match=f"'{name}' is not allowed: it chooses {choice}") as caught:
        headers_up(settings(), headers((name, "strict")))
    assert (caught.value.status, caught.value.param) == (400, name)
    others = ", ".join(other for other in CHOOSING if other != name)
    with pytest.raises(HeaderNotAllowed):
        headers_up(settings(PASS_HEADERS=others), headers((name, "strict")))
    allowed = settings(PASS_HEADERS=f"x-other, {name.upper()}")
    assert headers_up(allowed, headers((name, "strict"))) == {name: "strict"}


def test_an_empty_header_chooses_nothing() -> None:
    assert headers_up(settings(), headers(("x-policy-id", ""))) == {}


def test_a_header_that_came_twice_goes_up_joined_as_the_host_would_join_it() -> None:
    twice = headers(("x-policy-id", "a"), ("x-policy-id", "b"))
    assert headers_up(settings(PASS_HEADERS="x-policy-id"), twice) == {"x-policy-id": "a, b"}


def test_a_value_that_cannot_go_up_is_left_out_where_it_informs_and_refused_where_it_chooses() -> None:
    """The Functions host passes on none with a value outside ASCII; other hosts may."""
    odd = headers(("openai-beta", "x=1"), ("x-client-request-id", "é"), ("x-custom", "é"))
    assert headers_up(settings(PASS_HEADERS="x-custom"), odd) == {"openai-beta": "x=1"}
    with pytest.raises(BadRequest, match="'x-policy-id' is not valid; expected ASCII"):
        headers_up(settings(PASS_HEADERS="x-policy-id"), headers(("x-policy-id", "é")))


@cells("version", ["preview", "latest", "v1", "Preview"])
def test_the_versions_of_the_current_surface_go_up(version: str) -> None:
    asked = QueryParams(f"api-version={version}&code=secret&x=1")
    assert query_up(settings(), asked) == (("api-version", version),)
    assert query_up(settings(), asked, is_complete=True) == (("api-version", version), ("x", "1"))


@cells("version", ["2024-02-01", "2025-04-01-preview", "x", ""])
def test_the_versions_of_the_older_surface_do_not(version: str) -> None:
    assert query_up(settings(), QueryParams(f"api-version={version}&x=1")) == ()
    assert query_up(settings(), QueryParams(f"api-version={version}&clientId=y"), is_complete=True) == ()


def test_another_server_than_azures_gets_no_version() -> None:
    other = Settings.from_env({"OPENAI_BASE_URL": "http://localhost:11434/v1"})
    assert query_up(other, QueryParams("api-version=preview")) == ()


@cells("name", [*DOWN, "x-ratelimit-reset-tokens", "x-ms-spillover-from-deployment", "x-ms-spillover-error"])
def test_each_header_of_the_table_comes_down(name: str) -> None:
    assert headers_down({name.title(): "value"}) == {name: "value"}


@cells("name", ["server", "set-cookie", "x-envoy-upstream-service-time", "x-ms-internal", "location"])
def test_no_other_header_comes_down(name: str) -> None:
    assert headers_down({name: "value"}) == {}
