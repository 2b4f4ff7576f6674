"""Settings: read once, and every way to get one wrong has a sentence that names it."""

import json
from collections.abc import Mapping

import pytest

from shared.config.settings import SETTING_NAMES, Settings
from shared.errors import Misconfigured

ENDPOINT = {"AZURE_OPENAI_ENDPOINT": "https://acc.openai.azure.com/"}
KEY = "alice=sha256:" + "a" * 64


def backends(*entries: Mapping[str, object]) -> dict[str, str]:
    return {"AZURE_OPENAI_BACKENDS": json.dumps(entries)}


def test_an_endpoint_alone_is_enough() -> None:
    settings = Settings.from_env(ENDPOINT)
    assert [backend.base_url for backend in settings.backends] == ["https://acc.openai.azure.com/openai/v1/"]
    assert (settings.api, settings.auth_mode, settings.streaming_enabled) == ("chat", "function", True)
    assert (settings.commit_seconds, settings.upstream_silence_seconds, settings.max_request_bytes) == (
        10,
        120,
        1 << 24,
    )


@pytest.mark.parametrize("path", ["", "/", "/openai", "/openai/v1/"])
def test_the_endpoint_may_carry_the_usual_paths(path: str) -> None:
    settings = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://acc.openai.azure.com" + path})
    assert settings.backends[0].base_url == "https://acc.openai.azure.com/openai/v1/"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1:1", "[::1]:1"])
def test_plain_http_is_for_this_machine_only(host: str) -> None:
    assert Settings.from_env({"AZURE_OPENAI_ENDPOINT": f"http://{host}"}).backends
    with pytest.raises(Misconfigured, match="https address"):
        Settings.from_env({"AZURE_OPENAI_ENDPOINT": "http://acc.openai.azure.com"})


def test_any_openai_compatible_server_can_be_named_in_development() -> None:
    (backend,) = Settings.from_env({"OPENAI_BASE_URL": "http://localhost:11434/v1"}).backends
    assert (backend.base_url, backend.is_azure) == ("http://localhost:11434/v1/", False)


def test_backends_are_read_in_full() -> None:
    entry = {
        "name": "east",
        "endpoint": "https://e.openai.azure.com",
        "priority": 0,
        "weight": 3,
        "deployments": {"m": "d"},
    }
    (backend,) = Settings.from_env(backends(entry | {"scope": "https://ai.azure.com/.default"})).backends
    assert (backend.name, backend.priority, backend.weight, backend.deployment("m")) == ("east", 0, 3, "d")
    assert (backend.deployment("other"), backend.scope) == (None, "https://ai.azure.com/.default")


GOOD = {"name": "a", "endpoint": "https://a.openai.azure.com"}
WRONG: list[tuple[dict[str, str], str]] = [
    ({}, "AZURE_OPENAI_ENDPOINT is not set"),
    ({"AZURE_OPENAI_ENDPOINT": "ftp://x"}, "AZURE_OPENAI_ENDPOINT is 'ftp://x'"),
    ({"AZURE_OPENAI_ENDPOINT": "https://u:p@x.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT"),
    ({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/openai/deployments/d"}, "AZURE_OPENAI_ENDPOINT"),
    ({"AZURE_OPENAI_ENDPOINT": "https://x:port"}, "AZURE_OPENAI_ENDPOINT"),
    ({"AZURE_OPENAI_ENDPOINT": "https://<account>.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT is 'https://<account>"),
    ({"AZURE_OPENAI_ENDPOINT": "https://a\tb.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT"),
    ({"AZURE_OPENAI_ENDPOINT": "https://a..openai.azure.com"}, "AZURE_OPENAI_ENDPOINT"),
    ({"AZURE_OPENAI_API": "grpc"}, "AZURE_OPENAI_API is 'grpc'; expected one of chat, responses, completions"),
    ({"AZURE_OPENAI_SCOPE": "cognitive"}, "AZURE_OPENAI_SCOPE"),
    ({"AUTH_MODE": "none"}, "AUTH_MODE is 'none'; expected one of function, keys, entra, anonymous"),
    ({"AUTH_MODE": "keys"}, "CALLER_KEYS is empty"),
    ({"AUTH_MODE": "entra"}, "WEBSITE_AUTH_ENABLED"),
    ({"CALLER_KEYS": f"{KEY},alice=secret"}, "Entry 2 of CALLER_KEYS is not valid; expected a comma list of name=sha256"),
    ({"AZURE_OPENAI_API_KEY": "k", "WEBSITE_SITE_NAME": "app"}, "AZURE_OPENAI_API_KEY is set, but"),
    ({"OPENAI_BASE_URL": "http://localhost/v1", "WEBSITE_SITE_NAME": "app"}, "OPENAI_BASE_URL is set, but"),
    ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS is '*'"),
    ({"ALLOWED_ORIGINS": "https://a.example/path"}, "ALLOWED_ORIGINS"),
    ({"STREAMING_ENABLED": "maybe"}, "STREAMING_ENABLED is 'maybe'; expected true or false"),
    ({"MAX_REQUEST_BYTES": "many"}, "MAX_REQUEST_BYTES is 'many'; expected a whole number of at least 1024"),
    ({"MAX_OUTPUT_TOKENS": "0"}, "MAX_OUTPUT_TOKENS"),
    ({"COMMIT_SECONDS": "nan"}, "COMMIT_SECONDS is 'nan'"),
    ({"COMMIT_SECONDS": "1_0"}, "COMMIT_SECONDS is '1_0'; expected a number of seconds from 0.05 to 200"),
    ({"COMMIT_SECONDS": "10s"}, "COMMIT_SECONDS is '10s'"),
    ({"COMMIT_SECONDS": "-1"}, "COMMIT_SECONDS is '-1'"),
    ({"HEARTBEAT_SECONDS": "0"}, "HEARTBEAT_SECONDS is '0'"),
    ({"AZURE_OPENAI_MODELS": "gpt"}, "AZURE_OPENAI_MODELS"),
    ({"AZURE_OPENAI_MODELS": '{"a": 1}'}, "AZURE_OPENAI_MODELS"),
    ({"AZURE_OPENAI_MODELS": "{nope"}, "AZURE_OPENAI_MODELS"),
    ({"AZURE_OPENAI_BACKENDS": "[nope"}, "this is not JSON"),
    ({"AZURE_OPENAI_BACKENDS": "[" * 100_000}, "AZURE_OPENAI_BACKENDS is"),
    ({"AZURE_OPENAI_MODELS": '{"a":' * 100_000}, "AZURE_OPENAI_MODELS is"),
    ({"AZURE_OPENAI_BACKENDS": "[]"}, "at least one backend"),
    ({"AZURE_OPENAI_BACKENDS": "[1]"}, "AZURE_OPENAI_BACKENDS\\[0\\]"),
    (backends(GOOD | {"prio": 1}), "AZURE_OPENAI_BACKENDS\\[0\\].prio is '1'; expected no such field"),
    (backends({"endpoint": "https://a"}), "AZURE_OPENAI_BACKENDS\\[0\\].name"),
    (backends(GOOD | {"name": "a\nb"}), "AZURE_OPENAI_BACKENDS\\[0\\].name is 'a\\\\nb'; expected a name in plain ASCII"),
    (backends({"name": "a"}), "AZURE_OPENAI_BACKENDS\\[0\\].endpoint"),
    (backends(GOOD, GOOD), "2 backends named 'a'"),
    (backends(GOOD | {"priority": -1}), "AZURE_OPENAI_BACKENDS\\[0\\].priority"),
    (backends(GOOD | {"weight": 0}), "AZURE_OPENAI_BACKENDS\\[0\\].weight"),
    (backends(GOOD | {"deployments": {"m": 1}}), "AZURE_OPENAI_BACKENDS\\[0\\].deployments"),
    (backends(GOOD | {"scope": "x"}), "AZURE_OPENAI_BACKENDS\\[0\\].scope"),
    (backends(GOOD | {"endpoint": "http://a.example"}), "AZURE_OPENAI_BACKENDS\\[0\\].endpoint"),
]  # fmt: skip


@pytest.mark.parametrize(("env", "sentence"), WRONG, ids=[sentence for _, sentence in WRONG])
def test_a_wrong_setting_is_told_in_one_sentence_that_names_it(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence) as caught:
        Settings.from_env(({} if not env else ENDPOINT) | env)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "entry", ["bob=sha256:hunter2", "hunter2", "hunter2==", "bob:hunter2", "hunter2=bob", "bob=sha256:x=hunter2"]
)
def test_a_caller_key_is_never_part_of_the_sentence_however_it_was_put(entry: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Settings.from_env(ENDPOINT | {"CALLER_KEYS": f"{KEY},{entry}"})
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    "address",
    ["https://u:hunter2@x.openai.azure.com", "https://hunter2@x", "https://x/?sig=hunter2", "ftp://u:hunter2@x"],
)
def test_the_credentials_in_an_address_are_never_part_of_the_sentence(address: str) -> None:
    for env in (
        {"AZURE_OPENAI_ENDPOINT": address},
        {"OPENAI_BASE_URL": address},
        backends(GOOD | {"endpoint": address}),
    ):
        with pytest.raises(Misconfigured, match="credentials") as caught:
            Settings.from_env(ENDPOINT | env)
        assert "hunter2" not in caught.value.message
        assert "…@x" in caught.value.message or "/?…'" in caught.value.message


def test_a_key_that_no_header_can_carry_is_told_without_showing_it() -> None:
    with pytest.raises(Misconfigured, match="AZURE_OPENAI_API_KEY has characters that no key has") as caught:
        Settings.from_env(ENDPOINT | {"AZURE_OPENAI_API_KEY": "hunter2\nhunter2"})
    assert "hunter2" not in caught.value.message


def test_a_value_that_is_not_utf8_is_told_and_not_met_later() -> None:
    with pytest.raises(Misconfigured, match="SYSTEM_PROMPT is not valid UTF-8"):
        Settings.from_env(ENDPOINT | {"SYSTEM_PROMPT": b"\xff".decode("utf-8", "surrogateescape")})


def test_an_origin_may_be_written_in_any_case_and_with_its_usual_port() -> None:
    written = "HTTPS://App.Example.com, https://b.example:443, http://c.example:80, http://localhost:443"
    origins = Settings.from_env(ENDPOINT | {"ALLOWED_ORIGINS": written}).allowed_origins
    assert origins == {"https://app.example.com", "https://b.example", "http://c.example", "http://localhost:443"}


def test_blank_values_count_as_not_set() -> None:
    assert (
        Settings.from_env(ENDPOINT | dict.fromkeys(set(SETTING_NAMES) - {"AZURE_OPENAI_ENDPOINT"}, " ")).deployment
        == ""
    )


@pytest.mark.parametrize("text", ["a=x, b=y", '{"a": "x", "b": "y"}'])
def test_model_names_are_a_list_or_an_object(text: str) -> None:
    assert Settings.from_env(ENDPOINT | {"AZURE_OPENAI_MODELS": text}).models == {"a": "x", "b": "y"}
