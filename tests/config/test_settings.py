"""Settings: read once, and every way to get one wrong has a sentence that names it. What it shows: test_secrets.py."""

import hashlib
import json
import re
from collections.abc import Mapping

import pytest

from shared.config.proxies import VARIABLES
from shared.config.settings import (
    DECLARATIONS,
    SETTING_NAMES,
    Settings,
    host_checks_keys,
    unknown_names,
    unwanted_settings,
)
from shared.errors import Misconfigured
from tests.harness.cells import cells

ENDPOINT = {"AZURE_OPENAI_ENDPOINT": "https://acc.openai.azure.com/"}
SEARCH = {"RETRIEVAL": "on", "SEARCH_ENDPOINT": "https://s.search.windows.net/", "SEARCH_INDEX": "docs"}
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


def test_what_is_searched_is_read_in_full_and_only_where_something_is() -> None:
    assert Settings.from_env(ENDPOINT | SEARCH | {"RETRIEVAL": "off"}).search is None
    more = {"SEARCH_FIELDS": "text, name", "SEARCH_VECTOR_FIELDS": "a,b", "SEARCH_FILTER": "public eq true"}
    search = Settings.from_env(ENDPOINT | SEARCH | more).search
    assert search is not None
    assert (search.endpoint, search.index, search.knowledge_base) == ("https://s.search.windows.net", "docs", "")
    assert (search.fields, search.vector_fields, search.filter) == (("text", "name"), ("a", "b"), "public eq true")
    assert (search.top, search.semantic_configuration) == (5, "")
    assert Settings.from_env(ENDPOINT | SEARCH | {"SEARCH_ENDPOINT": "http://127.0.0.1:7073"}).search is not None


@cells("path", ["", "/", "/openai", "/openai/v1/"])
def test_the_endpoint_may_carry_the_usual_paths(path: str) -> None:
    settings = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://acc.openai.azure.com" + path})
    assert settings.backends[0].base_url == "https://acc.openai.azure.com/openai/v1/"


@cells("host", ["localhost:1", "127.0.0.1:1", "[::1]:1"])
def test_plain_http_is_for_this_machine_only(host: str) -> None:
    assert Settings.from_env({"AZURE_OPENAI_ENDPOINT": f"http://{host}"}).backends
    with pytest.raises(Misconfigured, match="https address"):
        Settings.from_env({"AZURE_OPENAI_ENDPOINT": "http://acc.openai.azure.com"})


@cells(
    "host",
    ["localhost", "host.docker.internal", "ollama", "box.local", "192.168.1.20", "172.17.0.1", "100.100.1.1", "[fd00::1]"],
)  # fmt: skip
def test_another_server_may_speak_plain_http_on_a_private_network(host: str) -> None:
    (backend,) = Settings.from_env({"OPENAI_BASE_URL": f"http://{host}:11434/v1"}).backends
    assert backend.base_url == f"http://{host}:11434/v1/"
    if host != "localhost":
        with pytest.raises(Misconfigured, match="https address"):
            Settings.from_env({"AZURE_OPENAI_ENDPOINT": f"http://{host}:11434"})


@cells("host", ["api.openai.com", "8.8.8.8", "[2606:4700::1111]", "134744072", "a.internal.example"])
def test_another_server_speaks_https_beyond_it(host: str) -> None:
    with pytest.raises(Misconfigured, match="plain http only for this machine or a private network"):
        Settings.from_env({"OPENAI_BASE_URL": f"http://{host}/v1"})
    assert Settings.from_env({"OPENAI_BASE_URL": f"https://{host}/v1"}).backends


def test_all_invalid_settings_are_named_at_once() -> None:
    env = {"COMMIT_SECONDS": "soon", "AUTH_MODE": "keys", "CALLER_KEYS": "alice", "OPENAI_BASE_URL": "ftp://x"}
    with pytest.raises(Misconfigured) as caught:
        Settings.from_env(env | {"AzureFunctionsJobHost__functionTimeout": "long"})
    sentences = re.findall(r"([A-Za-z_]+)[^.]*? is not valid", caught.value.message)
    assert sentences == ["CALLER_KEYS", "COMMIT_SECONDS", "AzureFunctionsJobHost__functionTimeout", "OPENAI_BASE_URL"]
    assert caught.value.message.count("CALLER_KEYS") == 1, "nothing follows from a setting that is invalid itself"
    assert "found" not in caught.value.message
    assert caught.value.operator_message.count("found") == 4


def test_what_is_named_like_a_setting_and_is_none_is_named() -> None:
    env = {
        "AZURE_OPENAI_DEPLOYMNT": "gpt",
        "AZURE_OPENAI_VOICE": "x",
        "OPENAI_BASE_URI": "y",
        "AZURE_OPENAI_EMPTY": " ",
    }
    assert unknown_names(ENDPOINT | env) == (
        "AZURE_OPENAI_DEPLOYMNT is ignored: this app has no such setting (is AZURE_OPENAI_DEPLOYMENT meant?).",
        "AZURE_OPENAI_VOICE is ignored: this app has no such setting.",
        "OPENAI_BASE_URI is ignored: this app has no such setting (is OPENAI_BASE_URL meant?).",
    )


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
INVALID: list[tuple[dict[str, str], str]] = [
    ({}, "AZURE_OPENAI_ENDPOINT is not set"),
    ({"AZURE_OPENAI_ENDPOINT": "ftp://x"}, "AZURE_OPENAI_ENDPOINT is not valid: found a value of 7 characters; expected an"),
    ({"AZURE_OPENAI_ENDPOINT": "https://u:p@x.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT is not valid: found a value of 30"),
    ({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/openai/deployments/d"}, "'https://x.openai.azure.com/…'; expected"),
    ({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/?api-version=1"}, "'https://x.openai.azure.com\\?…'; expected"),
    ({"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com/#f"}, "'https://x.openai.azure.com#…'; expected"),
    ({"AZURE_OPENAI_ENDPOINT": "http://[fe80::1]/"}, "'http://\\[fe80::1\\]'; expected"),
    ({"AZURE_OPENAI_ENDPOINT": "https://x:port"}, "AZURE_OPENAI_ENDPOINT"),
    ({"AZURE_OPENAI_ENDPOINT": "https://<account>.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT is not valid"),
    ({"AZURE_OPENAI_ENDPOINT": "https://a\tb.openai.azure.com"}, "AZURE_OPENAI_ENDPOINT"),
    ({"AZURE_OPENAI_ENDPOINT": "https://a..openai.azure.com"}, "AZURE_OPENAI_ENDPOINT"),
    ({"OPENAI_BASE_URL": "https://user:1/secret@host/v1"}, "OPENAI_BASE_URL is not valid: found a value of 29 characters"),
    ({"AZURE_OPENAI_API": "grpc"}, "AZURE_OPENAI_API is not valid: found a value of 4 characters; expected one of chat, resp"),
    ({"AZURE_OPENAI_API": "Respones"}, "AZURE_OPENAI_API is not valid: found 'Respones'; expected one of chat, responses"),
    ({"AZURE_OPENAI_SCOPE": "cognitive"}, "AZURE_OPENAI_SCOPE"),
    ({"CHAT_TOOLS": '[{"type": "web_search"}]'}, "CHAT_TOOLS is set, but AZURE_OPENAI_API is not 'responses'"),
    ({"RESUME": "on"}, "RESUME is 'on', but AZURE_OPENAI_API is not 'responses'"),
    ({"CHAT_TOOLS": "web_search"}, "CHAT_TOOLS is not valid: found a value of 10 characters with a JSON error"),
    ({"CHAT_TOOLS": "[]"}, "CHAT_TOOLS is not valid: found a list"),
    ({"CHAT_TOOLS": '["web_search"]'}, r"CHAT_TOOLS\[0\] is not valid: found a text of 10 characters"),
    ({"CHAT_TOOLS": '[{"type": "function"}]'}, r"CHAT_TOOLS\[0\].type is not valid: found a value of 8 characters"),
    ({"CHAT_TOOLS": '[{"type": 5}]'}, r"CHAT_TOOLS\[0\].type is not valid: found 5"),
    ({"RETRIEVAL": "on"}, "SEARCH_ENDPOINT is not valid: found nothing; expected the address of an Azure AI Search service"),
    ({"RETRIEVAL": "yes please"}, "RETRIEVAL is not valid: found a value of 10 characters; expected one of off, on, ask"),
    ({"RETRIEVAL": "on", "SEARCH_ENDPOINT": "http://s.search.windows.net"}, "SEARCH_ENDPOINT is not valid"),
    ({"RETRIEVAL": "on", "SEARCH_ENDPOINT": "https://s.search.windows.net/indexes"}, "SEARCH_ENDPOINT is not valid"),
    ({**SEARCH, "SEARCH_INDEX": ""}, "needs either SEARCH_INDEX or SEARCH_KNOWLEDGE_BASE, but neither is set"),
    ({**SEARCH, "SEARCH_KNOWLEDGE_BASE": "kb"}, "needs either SEARCH_INDEX or SEARCH_KNOWLEDGE_BASE, but both are set"),
    ({**SEARCH, "SEARCH_INDEX": "a b"}, "SEARCH_INDEX is not valid: found a value of 3 characters"),
    ({**SEARCH, "SEARCH_FIELDS": "a,b,c,d"}, "SEARCH_FIELDS is not valid"),
    ({**SEARCH, "SEARCH_FIELDS": "a,,b"}, "SEARCH_FIELDS is not valid"),
    ({**SEARCH, "SEARCH_VECTOR_FIELDS": "a b"}, "SEARCH_VECTOR_FIELDS is not valid"),
    ({**SEARCH, "SEARCH_TOP": "0"}, "SEARCH_TOP is not valid: found '0'; expected a whole number from 1 to 50"),
    ({**SEARCH, "SEARCH_TOP": "51"}, "SEARCH_TOP is not valid: found '51'; expected a whole number from 1 to 50"),
    *[({**SEARCH, "SEARCH_INDEX": "", "SEARCH_KNOWLEDGE_BASE": "kb", name: "x"}, f"{name} is set, but it applies to")
      for name in ("SEARCH_FILTER", "SEARCH_SEMANTIC_CONFIGURATION", "SEARCH_VECTOR_FIELDS")],
    ({"CHAT_TOOLS": '[{"type": "mcp"}]'}, r'CHAT_TOOLS\[0\].require_approval is not valid: found nothing; expected "never"'),
    ({"AZURE_OPENAI_SCOPE": "https://u:p@x.azure.com/.default"}, "AZURE_OPENAI_SCOPE is not valid: found a value of 32"),
    ({"AZURE_OPENAI_SCOPE": "https://x.azure.com/.default?a"}, "AZURE_OPENAI_SCOPE is not valid: found 'https://x.azure.com/…\\?…'"),
    ({"AZURE_CLIENT_ID": "my-identity"}, "AZURE_CLIENT_ID is not valid: found a value of 11 characters; expected a GUID"),
    ({"AUTH_MODE": "none"}, "AUTH_MODE is not valid: found a value of 4 characters; expected one of function, keys"),
    ({"AUTH_MODE": "functions"}, "AUTH_MODE is not valid: found 'functions'; expected one of function, keys, entra, anonymous"),
    ({"AUTH_MODE": "keys"}, "CALLER_KEYS is empty; expected a comma-separated list of name=sha256:<64 hex digits>"),
    ({"AUTH_MODE": "entra"}, "WEBSITE_AUTH_ENABLED"),
    ({"CALLER_KEYS": f"{KEY},alice=secret"}, "CALLER_KEYS, entry 2, is not valid: found a value of 12 characters; expected"),
    ({"AZURE_OPENAI_API_KEY": "k", "WEBSITE_SITE_NAME": "app"}, "AZURE_OPENAI_API_KEY is set, but .*is for development only"),
    ({"OPENAI_BASE_URL": "http://localhost/v1", "WEBSITE_SITE_NAME": "app"}, "OPENAI_BASE_URL is set, but"),
    ({"ALLOWED_ORIGINS": "*"}, "ALLOWED_ORIGINS, entry 1, is not valid: found a value of 1 character; expected"),
    ({"ALLOWED_ORIGINS": "https://a.example, https://a.example/path"}, "ALLOWED_ORIGINS, entry 2, .* 'https://a.example/…'"),
    ({"ALLOWED_ORIGINS": "https://user@a.example"}, "ALLOWED_ORIGINS, entry 1, is not valid: found a value of 22 characters"),
    ({"STREAMING_ENABLED": "maybe"}, "STREAMING_ENABLED is not valid: found a value of 5 characters; expected true or false"),
    ({"STREAMING_ENABLED": "ture"}, "STREAMING_ENABLED is not valid: found 'ture'; expected true or false"),
    ({"MAX_REQUEST_BYTES": "many"}, "MAX_REQUEST_BYTES is not valid: found a value of 4 .* a whole number of at least 1024"),
    ({"MAX_REQUEST_BYTES": "16 MB"}, "MAX_REQUEST_BYTES is not valid: found '16 MB'; expected a whole number of at least 1024"),
    ({"MAX_OUTPUT_TOKENS": "0"}, "MAX_OUTPUT_TOKENS is not valid: found '0'"),
    ({"COMMIT_SECONDS": "nan"}, "COMMIT_SECONDS is not valid: found a value of 3 characters"),
    ({"COMMIT_SECONDS": "1_0"}, "COMMIT_SECONDS is not valid: found '1_0'; expected a number of seconds from 0.05 to 200"),
    ({"COMMIT_SECONDS": "10s"}, "COMMIT_SECONDS is not valid: found '10s'"),
    ({"COMMIT_SECONDS": "-1"}, "COMMIT_SECONDS is not valid: found '-1'"),
    ({"COMMIT_SECONDS": "12345678"}, "COMMIT_SECONDS is not valid: found a value of 8 characters"),
    ({"HEARTBEAT_SECONDS": "0"}, "HEARTBEAT_SECONDS is not valid: found '0'"),
    ({"AZURE_OPENAI_MODELS": "gpt"}, "AZURE_OPENAI_MODELS, entry 1, is not valid: found a value of 3 characters"),
    ({"AZURE_OPENAI_MODELS": "a=b, c2VjcmV0=="}, "AZURE_OPENAI_MODELS, entry 2, is not valid: found a value of 10 characters"),
    ({"AZURE_OPENAI_MODELS": "a=b, a=c"}, "AZURE_OPENAI_MODELS, entry 2, is not valid: found one that another entry has too"),
    ({"AZURE_OPENAI_MODELS": '{"a": 1}'}, "AZURE_OPENAI_MODELS, entry 1, is not valid: found 1; expected a JSON object"),
    ({"AZURE_OPENAI_MODELS": '{"a": "b", "c": {"d": "e"}}'}, "AZURE_OPENAI_MODELS, entry 2, is not valid: found an object"),
    ({"AZURE_OPENAI_MODELS": '{"a\\ud800": "b"}'}, "entry 1, is not valid: found a text of 1 character; expected"),
    ({"AZURE_OPENAI_MODELS": "{nope"}, "AZURE_OPENAI_MODELS is not valid: .* with a JSON error at line 1, column 2"),
    ({"AZURE_OPENAI_BACKENDS": "[nope"}, "found a value of 5 characters with a JSON error at line 1, column 2; expected"),
    ({"AZURE_OPENAI_BACKENDS": '[{"name": "a"},\n {"name": "b",}]'}, "JSON error at line 2, column 14"),
    ({"AZURE_OPENAI_BACKENDS": "[" * 100_000}, "AZURE_OPENAI_BACKENDS is not valid: found a value .* nested too deeply"),
    ({"AZURE_OPENAI_BACKENDS": "9" * 5000}, "AZURE_OPENAI_BACKENDS is not valid: .* or has a number that is too long"),
    ({"AZURE_OPENAI_MODELS": '{"a":' * 100_000}, "AZURE_OPENAI_MODELS is not valid"),
    ({"AZURE_OPENAI_BACKENDS": "[]"}, "found a list; expected a JSON list with at least one backend"),
    ({"AZURE_OPENAI_BACKENDS": "[1]"}, "AZURE_OPENAI_BACKENDS\\[0\\] is not valid: found 1; expected an object"),
    (backends(GOOD | {"api_key": "k"}), "\\[0\\] is .* field at position 3 \\(a name of 7 characters\\); exp"),
    (backends(GOOD | {"endpiont": "k"}), "\\[0\\] is .* position 3 \\('endpiont'\\); expected"),
    (backends({"endpoint": "https://a"}), "AZURE_OPENAI_BACKENDS\\[0\\].name is not valid: found nothing; expected a name"),
    (backends(GOOD | {"name": "a\nb"}), "\\[0\\].name is not valid: found a text of 3 characters; expected a name in plain"),
    (backends({"name": "a"}), "AZURE_OPENAI_BACKENDS\\[0\\].endpoint is not valid: found nothing"),
    (backends(GOOD, GOOD), "AZURE_OPENAI_BACKENDS\\[1\\].name is not valid: found one that another entry has too"),
    (backends(GOOD | {"priority": -1}), "AZURE_OPENAI_BACKENDS\\[0\\].priority is not valid: found -1"),
    (backends(GOOD | {"priority": True}), "AZURE_OPENAI_BACKENDS\\[0\\].priority is not valid: found true"),
    (backends(GOOD | {"weight": "3"}), "AZURE_OPENAI_BACKENDS\\[0\\].weight is not valid: found a text of 1 character"),
    (backends(GOOD | {"weight": -12345678}), "\\[0\\].weight is not valid: found a number of 9 characters"),
    (backends(GOOD | {"deployments": {"m": 1}}), "AZURE_OPENAI_BACKENDS\\[0\\].deployments is not valid: found an object"),
    (backends(GOOD | {"deployments": {"m": "\ud800"}}), "AZURE_OPENAI_BACKENDS\\[0\\].deployments is not valid: found an obj"),
    ({"AZURE_OPENAI_DEPLOYMENT": "\x1b[31mred"}, "AZURE_OPENAI_DEPLOYMENT is not valid: found a value of 8 characters"),
    ({"AZURE_OPENAI_MODELS": "m=a\x01"}, "AZURE_OPENAI_MODELS, entry 1, is not valid: found a value of 4 characters"),
    ({"AZURE_OPENAI_MODELS": '{"m": "a\\u0085"}'}, "AZURE_OPENAI_MODELS, entry 1, is not valid: found a text of 2 char"),
    (backends(GOOD | {"scope": "x"}), "AZURE_OPENAI_BACKENDS\\[0\\].scope is not valid: found a value of 1 character"),
    (backends(GOOD | {"scope": 1}), "AZURE_OPENAI_BACKENDS\\[0\\].scope is not valid: found 1; expected a token scope"),
    (backends(GOOD | {"endpoint": "http://a.example"}), "AZURE_OPENAI_BACKENDS\\[0\\].endpoint .* 'http://a.example'"),
]  # fmt: skip


@cells(("env", "sentence"), INVALID, ids=[sentence for _, sentence in INVALID])
def test_an_invalid_setting_is_named_in_one_sentence_and_only_the_log_says_what_was_found(
    env: dict[str, str], sentence: str
) -> None:
    with pytest.raises(Misconfigured) as caught:
        Settings.from_env(({} if not env else ENDPOINT) | env)
    message, operator_message = caught.value.message, caught.value.operator_message
    assert re.search(sentence, operator_message)
    assert "\n" not in operator_message
    assert message == re.sub(": found .*?; expected", "; expected", operator_message)


@cells("name", ["hunter2hunter2", "bob.hunter2"])
def test_a_key_that_stands_in_place_of_its_own_name_is_refused_since_names_are_logged(name: str) -> None:
    digest = hashlib.sha256(name.encode()).hexdigest()
    with pytest.raises(Misconfigured, match="CALLER_KEYS, entry 1, is not valid"):
        Settings.from_env(ENDPOINT | {"CALLER_KEYS": f"{name}=sha256:{digest.upper()}"})


def test_a_key_that_no_header_can_carry_is_told_without_showing_it() -> None:
    with pytest.raises(
        Misconfigured, match="AZURE_OPENAI_API_KEY contains non-printable or non-ASCII characters"
    ) as caught:
        Settings.from_env(ENDPOINT | {"AZURE_OPENAI_API_KEY": "hunter2\nhunter2"})
    assert "hunter2" not in caught.value.message


def test_a_value_that_is_not_utf8_is_told_and_not_met_later() -> None:
    with pytest.raises(Misconfigured, match="SYSTEM_PROMPT is not valid UTF-8"):
        Settings.from_env(ENDPOINT | {"SYSTEM_PROMPT": b"\xff".decode("utf-8", "surrogateescape")})


@cells(
    "origin",
    [
        "app://obsidian.md",
        "chrome-extension://aaaabbbbccccddddeeeeffffgggghhhh",
        "moz-extension://11111111-2222-3333-4444-555555555555",
        "tauri://localhost",
        "capacitor://localhost",
        "vscode-webview://0a1b2c",
        "ionic://localhost:80",
    ],
)
def test_an_application_or_an_extension_is_an_origin_too(origin: str) -> None:
    found = Settings.from_env(ENDPOINT | {"ALLOWED_ORIGINS": f"https://app.example.com,{origin}"}).allowed_origins
    assert found == {"https://app.example.com", origin}


@cells(
    "origin",
    ["null", "*", "file://a", "app://", "app://a/b", "app://u@a", "app:a", "chrome-extension://*", "://a", "app://a b"],
)
def test_what_no_browser_sends_or_is_no_one_page_is_no_origin(origin: str) -> None:
    with pytest.raises(
        Misconfigured, match="ALLOWED_ORIGINS, entry 2, is not valid; expected a comma-separated list of origins"
    ):
        Settings.from_env(ENDPOINT | {"ALLOWED_ORIGINS": f"https://app.example.com,{origin}"})


def test_an_origin_may_be_written_in_any_case_and_with_its_usual_port() -> None:
    written = "HTTPS://App.Example.com, https://b.example:443, http://c.example:80, http://localhost:443"
    origins = Settings.from_env(ENDPOINT | {"ALLOWED_ORIGINS": written}).allowed_origins
    assert origins == {"https://app.example.com", "https://b.example", "http://c.example", "http://localhost:443"}


def test_blank_values_count_as_not_set() -> None:
    assert (
        Settings.from_env(ENDPOINT | dict.fromkeys(set(SETTING_NAMES) - {"AZURE_OPENAI_ENDPOINT"}, " ")).deployment
        == ""
    )


@cells("text", ["a=x, b=y", '{"a": "x", "b": "y"}'])
def test_model_names_are_a_list_or_an_object(text: str) -> None:
    assert Settings.from_env(ENDPOINT | {"AZURE_OPENAI_MODELS": text}).models == {"a": "x", "b": "y"}


class Recorded(dict[str, str]):
    """An environment that knows which of its variables were read."""

    def __init__(self, env: Mapping[str, str]) -> None:
        super().__init__(env)
        self.read: list[str] = []

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.read.append(name)
        return super().get(name, default)


def test_each_declared_setting_is_read_once_and_besides_them_only_what_the_platform_says() -> None:
    env = Recorded(ENDPOINT)
    Settings.from_env(env)
    assert sorted(env.read) == sorted(
        [*SETTING_NAMES, *VARIABLES, "APPLICATIONINSIGHTS_CONNECTION_STRING", "IDENTITY_ENDPOINT", "WEBSITE_SITE_NAME"]
    )


def test_every_field_is_a_setting_or_said_by_several_and_every_default_is_written_as_it_is_read() -> None:
    others = {
        "backends",
        "catalog",
        "proxies",
        "search",
        "in_azure",
        "has_managed_identity",
        "max_answer_seconds",
        "host_reports",
    }
    assert set(Settings.__slots__) - set(DECLARATIONS) == others
    defaults = {name: declaration.kind.default for name, declaration in DECLARATIONS.items()}
    written = {DECLARATIONS[name].name: default for name, default in defaults.items() if default}
    assert Settings.from_env(ENDPOINT | written) == Settings.from_env(ENDPOINT)


@cells(
    ("auth_mode", "by_host"),
    [
        ("", True),
        (" ", True),
        ("Function", True),
        ("keys", False),
        (" ENTRA ", False),
        ("anonymous", False),
        ("kyes", True),
    ],
)
@cells("other", [{}, {"COMMIT_SECONDS": "never"}])
def test_auth_mode_alone_decides_whether_the_host_checks_keys_and_an_invalid_one_lets_it(
    auth_mode: str, by_host: bool, other: dict[str, str]
) -> None:
    assert host_checks_keys({"AUTH_MODE": auth_mode} | other) is by_host


@cells(
    ("env", "host_reports", "has_telemetry"),
    [
        ({}, False, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, False, True),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=k"}, True, True),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": " "}, False, False),
    ],
)
def test_telemetry_is_on_where_it_has_somewhere_to_go(
    env: dict[str, str], host_reports: bool, has_telemetry: bool
) -> None:
    settings = Settings.from_env(ENDPOINT | env)
    assert (settings.host_reports, settings.has_telemetry) == (host_reports, has_telemetry)


@cells("address", ["collector:4318", "grpc://collector:4317", "https://user:key@c.example", "https://c/?a=b"])
def test_a_collector_has_a_plain_address_and_no_key_in_it(address: str) -> None:
    with pytest.raises(Misconfigured, match="OTEL_EXPORTER_OTLP_ENDPOINT is not valid; expected an address such as"):
        Settings.from_env(ENDPOINT | {"OTEL_EXPORTER_OTLP_ENDPOINT": address})


@cells("share", ["-1", "1.1", "half", "nan"])
def test_a_share_is_a_number_from_0_to_1(share: str) -> None:
    with pytest.raises(Misconfigured, match="TELEMETRY_SAMPLE is not valid; expected a number from 0 to 1"):
        Settings.from_env(ENDPOINT | {"TELEMETRY_SAMPLE": share})
    assert Settings.from_env(ENDPOINT | {"TELEMETRY_SAMPLE": "0.05"}).telemetry_sample == 0.05


def test_settings_of_the_worker_that_work_against_this_apps_telemetry_are_named() -> None:
    set_ = {"PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "True", "PYTHON_ENABLE_OPENTELEMETRY": "1"}
    assert [sentence.split()[0] for sentence in unwanted_settings(set_)] == list(set_)
    assert unwanted_settings(dict.fromkeys(set_, "false")) == ()


@cells("name", ["AZURE_OPENAI_API_KEY", "OPENAI_BASE_URL"])
def test_a_setting_for_development_is_invalid_in_azure_and_says_what_is_used_there(name: str) -> None:
    with pytest.raises(Misconfigured, match=f"{name} is set, but .* it uses .*: remove the setting"):
        Settings.from_env(ENDPOINT | {name: "http://localhost/v1", "WEBSITE_SITE_NAME": "app"})
    assert [one.name for one in DECLARATIONS.values() if one.instead_in_azure] == [
        "AZURE_OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ]


@cells(
    ("text", "names"),
    [("", set()), ("x-policy-id", {"x-policy-id"}), (" X-Policy-ID , x-a,", {"x-policy-id", "x-a"})],
)
def test_further_headers_to_pass_are_a_list_of_names(text: str, names: set[str]) -> None:
    assert (
        Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "PASS_HEADERS": text}).pass_headers
        == names
    )


@cells(
    "name",
    ["authorization", "Api-Key", "x-functions-key", "cookie", "content-length", "host", "x-ms-client-principal-id",
     "x-ms-invocation-id", "accept-encoding", "transfer-encoding", "proxy-authorization", "a b", "x:y", "*", "é"],
)  # fmt: skip
def test_a_header_that_must_not_leave_cannot_be_passed(name: str) -> None:
    with pytest.raises(
        Misconfigured, match="PASS_HEADERS, entry 2, is not valid; expected a comma-separated list of header"
    ):
        Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "PASS_HEADERS": f"x-ok, {name}"})
