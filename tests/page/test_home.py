"""What `GET /` says to who is no browser."""

from collections.abc import Mapping

import pytest
from starlette.requests import Request

from shared.page.home import home_text
from tests.harness.app import request_scope


def text(headers: Mapping[str, str], *, needs_key: bool = False) -> str:
    return home_text(Request(request_scope("/", headers=headers)), needs_key=needs_key).decode()


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"host": "127.0.0.1:7071"}, "http://127.0.0.1:7071/chat"),
        ({}, "http://localhost/chat"),
        (
            {"host": "10.0.0.1", "x-forwarded-host": "app.example.com", "x-forwarded-proto": "https"},
            "https://app.example.com/chat",
        ),
        (
            {"x-forwarded-host": "app.example.com, proxy", "x-forwarded-proto": "https, http"},
            "https://app.example.com/chat",
        ),
    ],
)
def test_the_address_is_the_one_that_the_client_sees(headers: dict[str, str], url: str) -> None:
    assert f"curl -N {url} " in text(headers)


def test_the_key_is_shown_where_one_is_needed() -> None:
    assert "x-functions-key" in text({}, needs_key=True)
    assert "x-functions-key" not in text({})
