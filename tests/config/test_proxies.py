"""Which connections go through a forward proxy."""

import pytest

from shared.config.proxies import DIRECT, Proxies
from shared.config.settings import Settings
from shared.errors import Misconfigured
from tests.harness.cells import cells

PROXY = "http://proxy.example:3128"


def proxy_for(host: str, *, scheme: str = "https", **env: str) -> str | None:
    return Proxies.from_env(env).proxy_for(scheme, host, 443 if scheme == "https" else 80)


def test_without_the_variables_every_connection_is_direct() -> None:
    assert Proxies.from_env({"HTTPS_PROXY": " ", "NO_PROXY": ""}) == DIRECT
    assert proxy_for("account.example") is None


@cells("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_https_goes_through_the_proxy_that_is_named_for_it_or_for_all(name: str) -> None:
    assert proxy_for("account.example", **{"scheme": "https", name: PROXY}) == PROXY


def test_each_scheme_has_its_own_proxy() -> None:
    assert proxy_for("account.example", HTTP_PROXY=PROXY) is None
    assert proxy_for("server.example", scheme="http", HTTP_PROXY=PROXY) == PROXY
    assert proxy_for("account.example", HTTPS_PROXY=PROXY, ALL_PROXY="http://other:1") == PROXY


def test_the_lower_case_wins_as_in_curl() -> None:
    assert proxy_for("account.example", HTTPS_PROXY="http://other:1", https_proxy=PROXY) == PROXY


def test_an_address_without_its_scheme_is_one_and_credentials_stay_in_it() -> None:
    assert proxy_for("account.example", HTTPS_PROXY="proxy.example:3128") == PROXY
    assert proxy_for("account.example", HTTPS_PROXY="http://u:p%40@[::1]:3128/") == "http://u:p%40@[::1]:3128/"


@cells(
    ("direct", "host", "is_direct"),
    [
        ("127.0.0.1,localhost", "account.example", False),
        ("account.example", "account.example", True),
        ("Account.Example", "ACCOUNT.example.", True),
        ("other.example, .example", "account.example", True),
        ("*.openai.azure.com", "my.openai.azure.com", True),
        ("openai.azure.com", "my.openai.azure.com", True),
        ("azure.com", "notazure.com", False),
        ("account.example:443", "account.example", True),
        ("account.example:8443", "account.example", False),
        ("*", "account.example", True),
        ("a.example b.example", "b.example", True),
        ("other.example,*", "account.example", True),
        (",", "account.example", False),
    ],
)
def test_no_proxy_lists_hosts_and_suffixes_or_everything(direct: str, host: str, is_direct: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        assert (proxy_for(host, **{"scheme": "https", "HTTPS_PROXY": PROXY, name: direct}) is None) is is_direct


@cells("host", ["localhost", "a.localhost", "127.0.0.1", "127.1.2.3", "::1", "169.254.130.1", "fe80::1"])
def test_what_is_on_this_machine_is_never_asked_through_a_proxy(host: str) -> None:
    assert proxy_for(host, scheme="http", HTTP_PROXY=PROXY, HTTPS_PROXY=PROXY, ALL_PROXY=PROXY) is None


@cells(
    "text",
    ["https://proxy.example", "socks5://proxy.example:1", "http://", "http://a b", "http://proxy:0", "http://proxy:x",
     "http://proxy/path", "http://proxy?a", "http://é", "http://user:secret@", "proxy:99999", "::"],
)  # fmt: skip
def test_what_is_no_http_proxy_is_named_and_nothing_of_it_is_shown(text: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "HTTPS_PROXY": text})
    message = caught.value.message
    assert (
        message == "HTTPS_PROXY is not valid; expected the http address of a proxy, such as http://proxy.example:3128."
    )
    assert "secret" not in caught.value.operator_message


def test_the_settings_read_them_once() -> None:
    found = Settings.from_env(
        {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "HTTPS_PROXY": PROXY, "NO_PROXY": "b"}
    )
    assert found.proxies == Proxies({"https": PROXY}, frozenset({"b"}))
