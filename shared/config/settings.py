"""The app's settings, each declared once, read once from the environment into a frozen value.

`Settings.from_env` raises `Misconfigured`, which names each invalid setting, what is allowed, and for the log what was found.
docs/reference.md, local.settings.json.example, Bicep and Terraform list the same settings; tests compare them with this list.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from math import inf
from typing import Any

from shared.config.backends import Backend, parse_backends, single_backend
from shared.config.caller_keys import CALLER_KEYS_FORM, CallerKey, caller_keys
from shared.config.caller_limits import MODES, WHEN_STORE_FAILS, CallerLimits, caller_limits
from shared.config.catalog import ModelCatalog
from shared.config.chat_tools import chat_tools
from shared.config.declarations import Declaration, Problems, declarations_of, setting
from shared.config.host_limits import max_answer_seconds
from shared.config.prices import Price, prices
from shared.config.proxies import Proxies
from shared.config.search import (
    MAX_PASSAGES,
    SearchTarget,
    check_target,
    field_names,
    object_name,
    search_endpoint,
    vector_field_names,
)
from shared.config.values import (
    api_version,
    caller_names,
    choice,
    collector_address,
    flag,
    guid,
    header_names,
    integer,
    model_name,
    name_map,
    optional_integer,
    origins,
    scope,
    seconds,
    secret,
    share,
    text,
)
from shared.errors import Misconfigured

APIS = ("chat", "responses", "completions")
RETRIEVALS = ("off", "on", "ask")
SEMCONVS = ("1.41", "latest")
AUTH_MODES = ("function", "keys", "entra", "anonymous")

_LIKE_A_SETTING = re.compile(r"AZURE_OPENAI_[A-Z0-9_]{1,50}|OPENAI_BASE_[A-Z0-9_]{1,50}")
_TYPO_LIKENESS = 0.9

_NO_MODELS = ModelCatalog(aliases={}, default="", backends=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field per setting, durations in seconds and sizes in bytes; then what several settings or the platform say."""

    endpoint: str = setting(
        "AZURE_OPENAI_ENDPOINT",
        text("an address such as https://my-account.openai.azure.com"),
        meaning="The Azure OpenAI account; plain http is allowed for this machine only.",
    )
    deployment: str = setting(
        "AZURE_OPENAI_DEPLOYMENT", model_name(), meaning="The deployment that answers a request which names no model."
    )
    api: str = setting(
        "AZURE_OPENAI_API",
        choice(APIS, default="chat"),
        meaning="The upstream API that the chat API calls; `completions` is the legacy one.",
    )
    scope: str = setting(
        "AZURE_OPENAI_SCOPE",
        scope("https://cognitiveservices.azure.com/.default"),
        meaning="The scope of the token for Azure OpenAI; newer documents name `https://ai.azure.com/.default`.",
    )
    media_api_version: str = setting(
        "MEDIA_API_VERSION",
        api_version("2025-04-01-preview"),
        meaning="The version of Azure OpenAI's API for images and audio, called at a deployment's own address; `v1` and "
        "`preview` call it below `/openai/v1`.",
    )
    client_id: str = setting(
        "AZURE_CLIENT_ID", guid(), meaning="The client id of the app's user-assigned managed identity."
    )
    api_key: str = setting(
        "AZURE_OPENAI_API_KEY",
        secret(),
        meaning="A key for the endpoint, instead of a signed-in identity.",
        instead_in_azure="its managed identity",
    )
    openai_base_url: str = setting(
        "OPENAI_BASE_URL",
        text("an address such as http://localhost:11434/v1"),
        meaning="Any OpenAI-compatible server, instead of Azure OpenAI.",
        instead_in_azure="AZURE_OPENAI_ENDPOINT or AZURE_OPENAI_BACKENDS",
    )
    backend_list: str = setting(
        "AZURE_OPENAI_BACKENDS",
        text("a JSON list of `{name, endpoint, priority, weight, deployments: {model: deployment}, scope}`"),
        meaning="Several accounts instead of one: the lowest `priority` goes first, equals share by `weight`, and a model is "
        "requested only where it is deployed.",
    )
    models: Mapping[str, str] = setting(
        "AZURE_OPENAI_MODELS",
        name_map(),
        meaning="The model names that callers use, each with its deployment; names pass through where it is not set.",
    )
    auth_mode: str = setting(
        "AUTH_MODE",
        choice(AUTH_MODES, default="function"),
        meaning="How callers authenticate: with the app's function key, with one of `CALLER_KEYS`, through App Service "
        "authentication, or not at all.",
    )
    caller_keys: tuple[CallerKey, ...] = setting(
        "CALLER_KEYS", caller_keys(), meaning="The names and hashed keys of the callers, for `AUTH_MODE=keys`."
    )
    allowed_origins: frozenset[str] = setting(
        "ALLOWED_ORIGINS", origins(), meaning="The other origins whose pages may call this app from a browser."
    )
    pass_headers: frozenset[str] = setting(
        "PASS_HEADERS",
        header_names(),
        meaning="Further headers of a request that go up, such as `x-policy-id`, with which a caller chooses a content filter, "
        "and `x-ms-spillover-deployment`, with which it chooses a deployment.",
    )
    streaming_enabled: bool = setting(
        "STREAMING_ENABLED", flag(default=True), meaning="Whether answers are streamed; `false` buffers every answer."
    )
    system_prompt: str = setting(
        "SYSTEM_PROMPT", text(), meaning="A system message before every conversation of the chat API."
    )
    chat_tools: tuple[Mapping[str, Any], ...] = setting(
        "CHAT_TOOLS",
        chat_tools(),
        meaning="The tools that the model's service runs for the chat API, with `AZURE_OPENAI_API=responses`; what they cite "
        "becomes sources.",
    )
    openai_stateful: str = setting(
        "OPENAI_STATEFUL",
        choice(("off", "on"), default="off"),
        meaning="Whether `/v1/files`, `/v1/vector_stores`, `/v1/conversations` and `/v1/batches` are served, with ids that are "
        "signed for the caller who made the object; what is stored is stored in your accounts, and billed there.",
    )
    resume: str = setting(
        "RESUME",
        choice(("off", "on"), default="off"),
        meaning='Whether an answer of the chat API goes on where its connection broke, if the request says `"resume": true`; '
        "needs `AZURE_OPENAI_API=responses`, which then keeps prompt and answer for 30 days.",
    )
    resume_grace_seconds: float = setting(
        "RESUME_GRACE_SECONDS",
        seconds(60, minimum=0),
        meaning="How long such an answer goes on without a reader, before it is cancelled; `0` never cancels it.",
    )
    retrieval: str = setting(
        "RETRIEVAL",
        choice(RETRIEVALS, default="off"),
        meaning='Whether the chat API searches before it answers: `on`, unless the request says `"retrieval": false`; `ask`, '
        "only where it says `true`; all callers see the whole index.",
    )
    search_endpoint: str = setting(
        "SEARCH_ENDPOINT",
        text("an address such as https://my-search.search.windows.net"),
        meaning="The Azure AI Search service, which the app's identity reads with the role Search Index Data Reader.",
    )
    search_index: str = setting("SEARCH_INDEX", object_name("an index or an alias"), meaning="What is searched.")
    search_knowledge_base: str = setting(
        "SEARCH_KNOWLEDGE_BASE",
        object_name("a knowledge base"),
        meaning="What is searched instead of an index: a knowledge base of that service.",
    )
    search_fields: tuple[str, ...] = setting(
        "SEARCH_FIELDS", field_names(), meaning="The fields of a document that hold its content, title and address."
    )
    search_semantic_configuration: str = setting(
        "SEARCH_SEMANTIC_CONFIGURATION",
        object_name("a semantic configuration"),
        meaning="The index's semantic configuration, which ranks what is found; without it there is no semantic ranking.",
    )
    search_vector_fields: tuple[str, ...] = setting(
        "SEARCH_VECTOR_FIELDS",
        vector_field_names(),
        meaning="The index's vector fields, for a hybrid search; the service embeds the question by the index's vectorizer.",
    )
    search_top: int = setting(
        "SEARCH_TOP",
        integer(5, minimum=1, maximum=MAX_PASSAGES),
        meaning="How many passages an answer is based on, at most.",
    )
    search_filter: str = setting(
        "SEARCH_FILTER",
        text("an OData filter"),
        meaning="What every search of the index is restricted to, for all callers.",
    )
    search_seconds: float = setting(
        "SEARCH_SECONDS",
        seconds(10, maximum=200),
        meaning="How long the search may take, and before it the model's rewriting of the question.",
    )
    search_required: bool = setting(
        "SEARCH_REQUIRED",
        flag(default=False),
        meaning="Whether an answer fails where the search does (`search_unavailable`); otherwise it comes without sources.",
    )
    caller_limits: Mapping[str, CallerLimits] = setting(
        "CALLER_LIMITS",
        caller_limits(),
        meaning="What each caller may use, by its name, `*` for all others: `tokens_per_minute`, `tokens_per_day`, "
        "`tokens_per_month`, `requests_per_minute`, `streams`; they hold over all instances.",
    )
    limits_mode: str = setting(
        "LIMITS_MODE",
        choice(MODES, default="enforce"),
        meaning="Whether an answer beyond a limit is refused, or only logged as one that would have been (`shadow`).",
    )
    limits_when_store_fails: str = setting(
        "LIMITS_WHEN_STORE_FAILS",
        choice(WHEN_STORE_FAILS, default="open"),
        meaning="What holds while the table cannot be asked: a quarter of each limit in each process (`open`), or a 503 "
        "(`closed`).",
    )
    operators: frozenset[str] = setting(
        "OPERATORS",
        caller_names(),
        meaning="The callers that `GET /usage` tells what all callers have used, besides their own; naming one records usage "
        "where `CALLER_LIMITS` is not set.",
    )
    prices: Mapping[str, Price] = setting(
        "PRICES", prices(), meaning="What a million tokens of each model cost, for the costs in `GET /usage`."
    )
    max_request_bytes: int = setting(
        "MAX_REQUEST_BYTES", integer(16 * 1024 * 1024, minimum=1024), meaning="The largest body of a request."
    )
    max_upload_bytes: int = setting(
        "MAX_UPLOAD_BYTES",
        integer(50 * 1024 * 1024, minimum=1024),
        meaning="The largest form with images or a sound; beyond 100 MiB the Functions host answers an empty 500.",
    )
    max_output_tokens: int | None = setting(
        "MAX_OUTPUT_TOKENS", optional_integer(minimum=1), meaning="A limit on the tokens of every answer."
    )
    max_event_bytes: int = setting(
        "MAX_EVENT_BYTES",
        integer(16 * 1024 * 1024, minimum=16 * 1024),
        meaning="The largest event accepted from upstream, and the limit of what is held before the first content.",
    )
    max_open_streams: int = setting(
        "MAX_OPEN_STREAMS",
        integer(0, minimum=0),
        meaning="How many answers one process streams at a time, a 503 beyond it; `0` sets no limit.",
    )
    # COMMIT_SECONDS and HEARTBEAT_SECONDS stay below the 230 s after which the platform cuts an idle connection.
    commit_seconds: float = setting(
        "COMMIT_SECONDS",
        seconds(10, maximum=200),
        meaning="How long a response without content waits before it sends its status and heartbeats.",
    )
    first_content_seconds: float = setting(
        "FIRST_CONTENT_SECONDS",
        seconds(600),
        meaning="How long an upstream may be silent before its first content; each of its events counts as a sign of life.",
    )
    attempt_budget_seconds: float = setting(
        "ATTEMPT_BUDGET_SECONDS", seconds(610), meaning="How long after the request's start an attempt may still begin."
    )
    upstream_silence_seconds: float = setting(
        "UPSTREAM_SILENCE_SECONDS", seconds(120), meaning="How long an upstream may pause within an answer."
    )
    heartbeat_seconds: float = setting(
        "HEARTBEAT_SECONDS",
        seconds(15, maximum=200),
        meaning="How long a response is silent before each heartbeat.",
    )
    write_window_seconds: float = setting(
        "WRITE_WINDOW_SECONDS",
        seconds(0.03, minimum=0, maximum=0.03),
        meaning="Where many streams are open, how long a piece of text may wait to leave with the next; `0` for never.",
    )
    drain_seconds: float = setting(
        "DRAIN_SECONDS",
        seconds(25, minimum=0),
        meaning="How long a stopping process lets its streams finish.",
    )
    otlp_endpoint: str = setting(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        collector_address(),
        meaning="The OpenTelemetry collector that gets traces, metrics and the log, as protobuf over HTTP at `/v1/…` below it.",
    )
    otlp_headers: str = setting(
        "OTEL_EXPORTER_OTLP_HEADERS",
        secret(),
        meaning="What a request to the collector carries, such as `api-key=…`: names and URL-encoded values between commas.",
    )
    telemetry_semconv: str = setting(
        "TELEMETRY_SEMCONV",
        choice(SEMCONVS, default="1.41"),
        meaning="Which version of OpenTelemetry's names for generative AI traces and metrics have.",
    )
    telemetry_sample: float = setting(
        "TELEMETRY_SAMPLE",
        share(1),
        meaning="Which share of the traces is exported where neither the Functions host nor the caller has decided; metrics "
        "and receipts count every answer.",
    )
    telemetry_callers: bool = setting(
        "TELEMETRY_CALLERS",
        flag(default=False),
        meaning="Whether the count of answers names the caller: a series for each.",
    )
    debug_headers: bool = setting(
        "DEBUG_HEADERS",
        flag(default=False),
        meaning="Whether answers carry `x-backend` and `x-attempts`, and `/health` "
        "`x-patches`: which changes to the worker's libraries are on.",
    )

    backends: tuple[Backend, ...] = ()
    catalog: ModelCatalog = _NO_MODELS
    search: SearchTarget | None = None
    """What is searched; None where RETRIEVAL is off."""
    proxies: Proxies
    """What the model's service and the search are asked through."""
    host_reports: bool
    """Whether Application Insights gets telemetry: the Functions host's own, and this app's."""
    in_azure: bool
    has_managed_identity: bool
    max_answer_seconds: float
    """How old an answer may become: the host's functionTimeout less a margin, infinite where that is unlimited."""

    @property
    def has_telemetry(self) -> bool:
        """Whether traces and metrics have somewhere to go."""
        return self.host_reports or bool(self.otlp_endpoint)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read and check every setting. Raise `Misconfigured` for all that are invalid, together."""
        problems = Problems()
        in_azure = bool(env.get("WEBSITE_SITE_NAME"))
        settings = cls(
            **{
                field: problems.collect(partial(declaration.read, env), default=declaration.default)
                for field, declaration in DECLARATIONS.items()
            },
            host_reports=bool(env.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "").strip()),
            in_azure=in_azure,
            has_managed_identity=in_azure or bool(env.get("IDENTITY_ENDPOINT")),
            proxies=problems.collect(partial(Proxies.from_env, env), default=Proxies),
            max_answer_seconds=problems.collect(partial(max_answer_seconds, env), default=lambda: inf),
        )
        for declaration in _development_only(settings):
            problems.collect(partial(_refuse_in_azure, declaration), default=_nothing)
        if not problems.is_about("CALLER_KEYS"):
            problems.collect(partial(_check_auth_mode, settings, env), default=_nothing)
        if not problems.is_about("AZURE_OPENAI_API"):
            problems.collect(partial(_check_tools, settings), default=_nothing)
            problems.collect(partial(_check_resume, settings), default=_nothing)
        backends = problems.collect(partial(_backends, settings), default=tuple[Backend, ...])
        search = None
        if not any(problems.is_about(name) for name in SETTING_NAMES if name.startswith("SEARCH_")):
            search = problems.collect(partial(_search, settings), default=_nothing)
        problems.raise_all()
        catalog = ModelCatalog(aliases=settings.models, default=settings.deployment, backends=backends)
        return replace(settings, backends=backends, catalog=catalog, search=search)


DECLARATIONS = declarations_of(Settings)
"""Every setting that the app itself reads, in the order of docs/reference.md, by its field in `Settings`."""

SETTING_NAMES = tuple(declaration.name for declaration in DECLARATIONS.values())


_NOT_WITH_THIS_APP: Mapping[str, str] = {
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "it lets the Functions worker instrument this process for Application "
    "Insights, with the texts of exceptions",
    "PYTHON_ENABLE_OPENTELEMETRY": "the Functions host then leaves this process's log to the worker, which sends it nowhere",
}
"""Settings of the platform's worker that work against this app's own telemetry."""


def unwanted_settings(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each setting of the platform that should not be set where this app runs."""
    return tuple(
        f"{name} is set: {reason}. Remove it; this app exports its telemetry by itself."
        for name, reason in _NOT_WITH_THIS_APP.items()
        if env.get(name, "").strip().lower() in ("1", "true", "t", "yes", "y")
    )


def host_checks_keys(env: Mapping[str, str]) -> bool:
    """Return whether the host is to check its function key.

    AUTH_MODE alone decides, so that it holds while another setting is invalid: callers of an app that checks for itself get
    the sentence about that setting, and not the host's empty 401. While AUTH_MODE itself is invalid the host checks.
    """
    try:
        return bool(DECLARATIONS["auth_mode"].read(env) == "function")
    except Misconfigured:
        return True


def unknown_names(env: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each variable that is named like a setting of the model's service, and is none."""
    strange = sorted(
        name for name in env if _LIKE_A_SETTING.fullmatch(name) and name not in SETTING_NAMES and env[name].strip()
    )
    return tuple(f"{name} is ignored: this app has no such setting{_guess(name)}." for name in strange)


def _guess(name: str) -> str:
    near = get_close_matches(name, SETTING_NAMES, 1, _TYPO_LIKENESS)
    return f" (is {near[0]} meant?)" if near else ""


def _development_only(settings: Settings) -> list[Declaration]:
    """Return the settings that are set although the app runs in Azure."""
    fields = DECLARATIONS.items() if settings.in_azure else ()
    return [declaration for field, declaration in fields if declaration.instead_in_azure and getattr(settings, field)]


def _nothing() -> None:
    """Return what a check returns."""


def _refuse_in_azure(declaration: Declaration) -> None:
    raise Misconfigured(
        f"{declaration.name} is set, but this app runs in Azure, where it uses {declaration.instead_in_azure}: "
        "remove the setting; it is for development only."
    )


def _check_auth_mode(settings: Settings, env: Mapping[str, str]) -> None:
    if settings.auth_mode == "entra" and env.get("WEBSITE_AUTH_ENABLED", "").lower() != "true":
        raise Misconfigured(
            "AUTH_MODE is 'entra', but App Service authentication (Easy Auth) is not switched on for this app "
            "(WEBSITE_AUTH_ENABLED is not 'True'): switch it on, or choose another AUTH_MODE."
        )
    if settings.auth_mode == "keys" and not settings.caller_keys:
        raise Misconfigured(f"AUTH_MODE is 'keys', but CALLER_KEYS is empty; expected {CALLER_KEYS_FORM}.")


def _check_tools(settings: Settings) -> None:
    if settings.chat_tools and settings.api != "responses":
        raise Misconfigured(
            "CHAT_TOOLS is set, but AZURE_OPENAI_API is not 'responses': only the Responses API has tools of its own."
        )


def _check_resume(settings: Settings) -> None:
    if settings.resume == "on" and settings.api != "responses":
        raise Misconfigured(
            "RESUME is 'on', but AZURE_OPENAI_API is not 'responses': only the Responses API has answers that can be taken up "
            "again."
        )


def _backends(settings: Settings) -> tuple[Backend, ...]:
    if settings.openai_base_url:
        url = settings.openai_base_url
        return (single_backend("OPENAI_BASE_URL", url, scope=settings.scope, is_azure=False),)
    if settings.backend_list:
        return parse_backends(settings.backend_list, default_scope=settings.scope)
    if settings.endpoint:
        return (single_backend("AZURE_OPENAI_ENDPOINT", settings.endpoint, scope=settings.scope, is_azure=True),)
    raise Misconfigured(
        "AZURE_OPENAI_ENDPOINT is not set; expected the address of an Azure OpenAI account, such as "
        "https://my-account.openai.azure.com (or a list of accounts in AZURE_OPENAI_BACKENDS; for development, "
        "any server in OPENAI_BASE_URL)."
    )


def _search(settings: Settings) -> SearchTarget | None:
    if settings.retrieval == "off":
        return None
    target = SearchTarget(
        endpoint=search_endpoint(settings.search_endpoint),
        index=settings.search_index,
        knowledge_base=settings.search_knowledge_base,
        fields=settings.search_fields,
        semantic_configuration=settings.search_semantic_configuration,
        vector_fields=settings.search_vector_fields,
        top=settings.search_top,
        filter=settings.search_filter,
    )
    check_target(target)
    return target
