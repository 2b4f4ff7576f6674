"""The app's settings, read once from the environment into a frozen value.

`Settings.from_env` raises `Misconfigured`, which names the setting and what is allowed, and for the log what was found.
The README's table, local.settings.json.example, Bicep and Terraform list the same names; a test holds them together.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.config.backends import Backend, parse_backends, single_backend
from shared.config.caller_keys import CALLER_KEYS_FORM, CallerKey, parse_caller_keys
from shared.config.host_limits import max_answer_seconds
from shared.config.values import SettingReader
from shared.errors import Misconfigured

DEFAULT_SCOPE = "https://cognitiveservices.azure.com/.default"
APIS = ("chat", "responses", "completions")
AUTH_MODES = ("function", "keys", "entra", "anonymous")

SETTING_NAMES: tuple[str, ...] = (
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_DEPLOYMENT",
    "AZURE_OPENAI_API",
    "AZURE_OPENAI_SCOPE",
    "AZURE_CLIENT_ID",
    "AZURE_OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "AZURE_OPENAI_BACKENDS",
    "AZURE_OPENAI_MODELS",
    "AUTH_MODE",
    "CALLER_KEYS",
    "ALLOWED_ORIGINS",
    "STREAMING_ENABLED",
    "SYSTEM_PROMPT",
    "MAX_REQUEST_BYTES",
    "MAX_OUTPUT_TOKENS",
    "MAX_EVENT_BYTES",
    "MAX_OPEN_STREAMS",
    "COMMIT_SECONDS",
    "FIRST_CONTENT_SECONDS",
    "ATTEMPT_BUDGET_SECONDS",
    "UPSTREAM_SILENCE_SECONDS",
    "HEARTBEAT_SECONDS",
    "DRAIN_SECONDS",
    "DEBUG_HEADERS",
)
"""Every setting that the app itself reads, in the order of the README's table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field per setting (see the README's table); durations in seconds, sizes in bytes."""

    backends: tuple[Backend, ...]
    deployment: str
    api: str
    client_id: str
    api_key: str
    in_azure: bool
    has_managed_identity: bool
    models: Mapping[str, str]
    auth_mode: str
    caller_keys: tuple[CallerKey, ...]
    allowed_origins: frozenset[str]
    streaming_enabled: bool
    system_prompt: str
    max_request_bytes: int
    max_output_tokens: int | None
    max_event_bytes: int
    max_open_streams: int
    commit_seconds: float
    first_content_seconds: float
    attempt_budget_seconds: float
    upstream_silence_seconds: float
    heartbeat_seconds: float
    drain_seconds: float
    debug_headers: bool
    max_answer_seconds: float
    """How old an answer may become, less than the host's functionTimeout; infinite where that is unlimited."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read and check every setting. Raise `Misconfigured` for the first that is invalid."""
        read = SettingReader(env)
        in_azure = bool(env.get("WEBSITE_SITE_NAME"))
        auth_mode = read.choice("AUTH_MODE", AUTH_MODES, default="function")
        _check_entra(auth_mode, env)
        api_key = read.secret("AZURE_OPENAI_API_KEY")
        if api_key and in_azure:
            raise Misconfigured(
                "AZURE_OPENAI_API_KEY is set, but this app runs in Azure, where it uses its managed identity: "
                "remove the setting; it is for development only."
            )
        return cls(
            backends=_backends(read, in_azure=in_azure),
            deployment=read.text("AZURE_OPENAI_DEPLOYMENT"),
            api=read.choice("AZURE_OPENAI_API", APIS, default="chat"),
            client_id=read.guid("AZURE_CLIENT_ID"),
            api_key=api_key,
            in_azure=in_azure,
            has_managed_identity=in_azure or bool(env.get("IDENTITY_ENDPOINT")),
            models=read.name_map("AZURE_OPENAI_MODELS"),
            auth_mode=auth_mode,
            caller_keys=_caller_keys(read, auth_mode),
            allowed_origins=read.origins("ALLOWED_ORIGINS"),
            streaming_enabled=read.flag("STREAMING_ENABLED", default=True),
            system_prompt=read.text("SYSTEM_PROMPT"),
            max_request_bytes=read.integer("MAX_REQUEST_BYTES", default=16 * 1024 * 1024, least=1024),
            max_output_tokens=read.optional_integer("MAX_OUTPUT_TOKENS", least=1),
            max_event_bytes=read.integer("MAX_EVENT_BYTES", default=4 * 1024 * 1024, least=16 * 1024),
            max_open_streams=read.integer("MAX_OPEN_STREAMS", default=0, least=0),
            commit_seconds=read.seconds("COMMIT_SECONDS", default=10, most=200),
            first_content_seconds=read.seconds("FIRST_CONTENT_SECONDS", default=90),
            attempt_budget_seconds=read.seconds("ATTEMPT_BUDGET_SECONDS", default=100),
            upstream_silence_seconds=read.seconds("UPSTREAM_SILENCE_SECONDS", default=120),
            # A heartbeat rarer than the platform's own idle limit of 230 s would be none.
            heartbeat_seconds=read.seconds("HEARTBEAT_SECONDS", default=15, most=200),
            drain_seconds=read.seconds("DRAIN_SECONDS", default=25, least=0),
            debug_headers=read.flag("DEBUG_HEADERS", default=False),
            max_answer_seconds=max_answer_seconds(env),
        )


def host_checks_keys(env: Mapping[str, str]) -> bool:
    """Whether the host is to ask for its function key: told by AUTH_MODE alone, so that it holds while another setting is
    wrong, and the callers of an app that checks for itself get the sentence and not the host's empty 401."""
    return env.get("AUTH_MODE", "").strip().lower() not in set(AUTH_MODES) - {"function"}


def _check_entra(auth_mode: str, env: Mapping[str, str]) -> None:
    if auth_mode == "entra" and env.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
        raise Misconfigured(
            "AUTH_MODE is 'entra', but App Service authentication (Easy Auth) is not switched on for this app "
            "(WEBSITE_AUTH_ENABLED is not 'True'): switch it on, or choose another AUTH_MODE."
        )


def _caller_keys(read: SettingReader, auth_mode: str) -> tuple[CallerKey, ...]:
    keys = parse_caller_keys(read.text("CALLER_KEYS"))
    if auth_mode == "keys" and not keys:
        raise Misconfigured(f"AUTH_MODE is 'keys', but CALLER_KEYS is empty; expected {CALLER_KEYS_FORM}.")
    return keys


def _backends(read: SettingReader, *, in_azure: bool) -> tuple[Backend, ...]:
    scope = read.scope("AZURE_OPENAI_SCOPE", default=DEFAULT_SCOPE)
    listed = read.text("AZURE_OPENAI_BACKENDS")
    endpoint = read.text("AZURE_OPENAI_ENDPOINT")
    base_url = read.text("OPENAI_BASE_URL")
    if base_url and in_azure:
        raise Misconfigured(
            "OPENAI_BASE_URL is set, but this app runs in Azure: remove the setting; it is for development only. "
            "AZURE_OPENAI_ENDPOINT or AZURE_OPENAI_BACKENDS names the Azure OpenAI account."
        )
    if base_url:
        return (single_backend("OPENAI_BASE_URL", base_url, scope=scope, is_azure=False),)
    if listed:
        return parse_backends(listed, default_scope=scope)
    if endpoint:
        return (single_backend("AZURE_OPENAI_ENDPOINT", endpoint, scope=scope, is_azure=True),)
    raise Misconfigured(
        "AZURE_OPENAI_ENDPOINT is not set; expected the address of an Azure OpenAI account, such as "
        "https://my-account.openai.azure.com (or a list of accounts in AZURE_OPENAI_BACKENDS)."
    )
