"""The application: made once per process, hands each request to its API. Construction never raises.

Its methods are one per function of the app, and return their response object at once. With an invalid setting `Misconfigured`
has the same methods, and answers with the name of the setting and what is allowed.
"""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from shared.chat.dialects import DIALECTS
from shared.chat.endpoint import ChatEndpoint
from shared.config.backends import Backend
from shared.config.settings import Settings, host_checks_keys, unknown_names, unwanted_settings
from shared.errors import AnswerError, Misconfigured, NotFound, UsageNotRecorded
from shared.hosting.telemetry_target import Measured
from shared.http.auth import SHARED_NAMES, authorise
from shared.http.context import RequestContext
from shared.http.cors import RefusedOrigins, cors_headers, preflight_headers
from shared.http.open_streams import OpenStreams
from shared.http.target import check_method, requested_path
from shared.openai_api.endpoint import OpenAIEndpoint
from shared.openai_api.paths import find_address
from shared.page.files import page_response
from shared.page.home import home_text
from shared.state.key_stores import find_key_store
from shared.state.signing_key import KeyRing
from shared.trace import HostTrace, Tracer
from shared.upstream.attempt_log import log_backends
from shared.upstream.attempts import Upstream
from shared.upstream.client import OpenAIClients
from shared.upstream.identity import make_credential
from shared.upstream.pool import BackendPool
from shared.version import VERSION

if TYPE_CHECKING:
    from shared.chat.grounding import Grounding
    from shared.chat.take_up import TakeUpEndpoint
    from shared.limits.limiter import Limiter
    from shared.usage.endpoint import UsageEndpoint

_log = logging.getLogger(__name__)

VERSION_HEADER = "x-version"
PATCHES_HEADER = "x-patches"
"""On /health under DEBUG_HEADERS alone: which libraries' insides are patched is not for strangers."""


class Service(Protocol):
    """What the functions of the app call, and what their process does with it."""

    @property
    def host_checks_keys(self) -> bool:
        """Whether the functions are to ask for the host's function key."""

    def chat(
        self, request: Request, invocation_id: str, trace: HostTrace | None = None, *, must_stream: bool = False
    ) -> Response:
        """POST /chat, /stream, /chat/stream."""

    def openai(self, request: Request, invocation_id: str, trace: HostTrace | None = None) -> Response:
        """Everything under /v1 and /openai."""

    def health(self, request: Request, invocation_id: str) -> Response:
        """GET or HEAD /health: whether this instance can serve."""

    def home(self, request: Request, invocation_id: str) -> Response:
        """GET or HEAD /: the chat page for a browser, a curl line for other clients."""

    def page(self, request: Request, invocation_id: str) -> Response:
        """GET or HEAD /page/…: what the chat page is made of."""

    def usage(self, request: Request, invocation_id: str) -> Response:
        """GET or HEAD /usage: what the caller has used, and what is left of its limits."""

    def preflight(self, request: Request, invocation_id: str) -> Response:
        """OPTIONS on anything that a browser may call from another origin."""

    def unmatched(self, request: Request, invocation_id: str, trace: HostTrace | None = None) -> Response:
        """Every other address and method: one with a slash too many, one without its base, or one that means nothing."""

    def measured(self) -> Measured | None:
        """Return what telemetry measures; None where nothing is exported but the log."""

    def announce(self) -> None:
        """Log what an operator has to know about the settings."""

    def patched(self, summary: str) -> None:
        """Note which patches are on, as `name on; name off`."""

    async def load(self) -> None:
        """Import what is slow to import."""

    async def drain(self) -> None:
        """Let the open streams finish for DRAIN_SECONDS, then end the rest with an error."""

    async def aclose(self) -> None:
        """Close the connections and the credential."""


def service_from_env(env: Mapping[str, str]) -> Service:
    """Return the service that these settings make, or one that answers with the invalid setting. Never raise."""
    by_host = host_checks_keys(env)
    unknown = (*unknown_names(env), *unwanted_settings(env))
    try:
        settings = Settings.from_env(env)
    except Misconfigured as problem:
        return MisconfiguredService(problem, host_checks_keys=by_host, warnings=unknown)
    return ConfiguredService(settings, host_checks_keys=by_host, warnings=unknown)


class ConfiguredService:
    """The service with valid settings."""

    def __init__(self, settings: Settings, *, host_checks_keys: bool, warnings: Sequence[str] = ()) -> None:
        """Open and patch nothing. `warnings`: sentences about the settings, for the log."""
        self._warnings = warnings
        self.host_checks_keys = host_checks_keys
        self._settings = settings
        self._open_streams = OpenStreams(settings.max_open_streams, longest_window=settings.write_window_seconds)
        self._clients = OpenAIClients(settings)
        self._tracer = None
        if settings.has_telemetry:
            self._tracer = Tracer(ratio=settings.telemetry_sample, host_reports=settings.host_reports)
        self._pool = BackendPool(settings.backends)
        upstream = Upstream(self._clients, self._pool, settings)
        self._grounding = _grounding(settings, upstream)
        self._limiter = _limiter(settings)
        self._usage = _usage(settings, self._limiter)
        admission = self._limiter if self._usage is None else self._usage.admission
        key_ring = _key_ring(settings)
        self._take_up = _take_up(settings, upstream, key_ring, self._open_streams)
        resuming = None if self._take_up is None else self._take_up.resuming
        self._chat = ChatEndpoint(
            settings, upstream, self._open_streams, self._grounding, resuming=resuming, admission=admission
        )
        self._openai = OpenAIEndpoint(settings, upstream, self._open_streams, key_ring, admission=admission)
        self._refused_origins = RefusedOrigins()
        self._patches = ""

    def chat(
        self, request: Request, invocation_id: str, trace: HostTrace | None = None, *, must_stream: bool = False
    ) -> Response:
        """Answer in the format that the caller asks for."""
        return self._chat.respond(self._context(request, invocation_id, trace), must_stream=must_stream)

    def openai(self, request: Request, invocation_id: str, trace: HostTrace | None = None) -> Response:
        """Answer as OpenAI's API does."""
        return self._openai.respond(self._context(request, invocation_id, trace))

    def health(self, request: Request, invocation_id: str) -> Response:
        """Return 200 and the version; the patches too, under DEBUG_HEADERS."""
        headers = {"cache-control": "no-store", VERSION_HEADER: VERSION}
        if self._settings.debug_headers and self._patches:
            headers[PATCHES_HEADER] = self._patches
        context = self._context(request, invocation_id)
        resumes = self._take_up is not None and self._settings.retrieval != "on"
        body = b'{"status":"ok","resume":true}' if resumes else b'{"status":"ok"}'
        return context.plain(body, media_type="application/json", headers=headers)

    def home(self, request: Request, invocation_id: str) -> Response:
        """Return the chat page to a browser, a curl line to other clients."""
        context = self._context(request, invocation_id)
        if _is_browser(request):
            return _page_file(context)
        text = home_text(request, needs_key=self.host_checks_keys)
        headers = {"vary": "accept", "x-content-type-options": "nosniff", "cache-control": "no-cache"}
        return context.plain(text, media_type="text/plain", headers=headers)

    def page(self, request: Request, invocation_id: str) -> Response:
        """Return one of the chat page's files, or 404."""
        return _page_file(self._context(request, invocation_id))

    def usage(self, request: Request, invocation_id: str) -> Response:
        """Return what the caller has used; 404 where that is not recorded."""
        context = self._context(request, invocation_id)
        try:
            caller = authorise(self._settings, request.headers)
            if self._usage is None:
                raise UsageNotRecorded("Usage is not recorded here: neither CALLER_LIMITS nor OPERATORS is set.")
            return self._usage.respond(context, caller)
        except AnswerError as error:
            return context.refuse(error)

    def preflight(self, request: Request, invocation_id: str) -> Response:
        """Return 204, with the headers that let an allowed origin go on."""
        self._refused_origins.note(self._settings, request.headers)
        context = self._context(request, invocation_id)
        return context.plain(b"", status=204, headers=preflight_headers(self._settings, request.headers))

    def unmatched(self, request: Request, invocation_id: str, trace: HostTrace | None = None) -> Response:
        """Answer an address as it is meant; 404 or 405 where nothing can be meant."""
        context, path = self._context(request, invocation_id, trace), requested_path(request.scope)
        try:
            if path in ROUTES:
                route = ROUTES[path]
                check_method(request, route.methods, hint=_HOW_TO_ASK if route.methods is ASK else "")
                return route.answer(self, request, invocation_id, trace)
            if self._take_up is not None and self._take_up.serves(path):
                return self._take_up.respond(context, path)
            if path.startswith(_PAGE_FILES):
                check_method(request, READ)
                return _page_file(context)
            if find_address(path) is not None or path.startswith(_OPENAI_BASES):
                return self._openai.respond(context)
            raise NotFound.route(request.method, request.url.path)
        except AnswerError as error:
            return context.refuse(error)

    def measured(self) -> Measured | None:
        """Return what telemetry measures; None where it is off."""
        settings = self._settings
        if self._tracer is None:
            return None
        return Measured(
            otlp_endpoint=settings.otlp_endpoint,
            otlp_proxy=_proxy(settings),
            otlp_headers=settings.otlp_headers,
            semconv=settings.telemetry_semconv,
            names_callers=settings.telemetry_callers,
            backends={backend.name: _address(backend) for backend in settings.backends},
            open_streams=self._open_streams.__len__,
            ready=self._pool.readiness,
        )

    def announce(self) -> None:
        """Log whom the app asks, and warn of open doors, of names that are no settings, and of a missing default model."""
        log_backends(self._settings)
        for warning in self._warnings:
            _log.warning("%s", warning)
        try:
            self._settings.catalog.resolve(None)
        except Misconfigured as problem:
            _log.warning("%s", problem.operator_message)
        if self._settings.auth_mode == "anonymous":
            _log.warning("AUTH_MODE is 'anonymous': anyone who finds this address can spend tokens.")
        if everybody := self._settings.operators & SHARED_NAMES.get(self._settings.auth_mode, frozenset()):
            _log.warning(
                "OPERATORS names '%s', which is every caller under AUTH_MODE=%s: each of them is told what all use.",
                *everybody,
                self._settings.auth_mode,
            )
        if self._settings.search is not None:
            _log.warning(
                "RETRIEVAL is '%s': every caller sees all that the search finds, within SEARCH_FILTER where that is set; "
                "permissions of users that the index holds are not applied.",
                self._settings.retrieval,
            )

    def patched(self, summary: str) -> None:
        """Keep it for /health."""
        self._patches = summary

    async def load(self) -> None:
        """Import the client of the model, and that of the search."""
        await self._clients.load()
        if self._limiter is not None:
            await self._limiter.load()
        if self._grounding is not None:
            await self._grounding.load()

    async def drain(self) -> None:
        """Let the open streams finish for DRAIN_SECONDS, then end the rest with an error."""
        await self._open_streams.drain(self._settings.drain_seconds)

    async def aclose(self) -> None:
        """Close the connections and the credential."""
        if self._take_up is not None:
            self._take_up.resuming.close()
        if self._limiter is not None:
            await self._limiter.close()
        if self._usage is not None:
            await self._usage.ledger.close()
        await self._clients.aclose()
        if self._grounding is not None:
            await self._grounding.aclose()

    def _context(self, request: Request, invocation_id: str, trace: HostTrace | None = None) -> RequestContext:
        cors = cors_headers(self._settings, request.headers)
        return RequestContext.of(request, invocation_id, cors, host_trace=trace, tracer=self._tracer)


def _grounding(settings: Settings, upstream: Upstream) -> "Grounding | None":
    """Return what answers are grounded with; None, and nothing imported, where RETRIEVAL is off."""
    if settings.search is None:
        return None
    from shared.chat.grounding import Grounding

    return Grounding(settings, upstream, DIALECTS[settings.api])


@dataclass(frozen=True, slots=True)
class Route:
    """One of the addresses that are neither the OpenAI API's nor a file of the page. `methods`: those that exist there."""

    methods: frozenset[str]
    answer: Callable[[ConfiguredService, Request, str, HostTrace | None], Response]


def _stream(service: ConfiguredService, request: Request, invocation_id: str, trace: HostTrace | None) -> Response:
    return service.chat(request, invocation_id, trace, must_stream=True)


def _read(
    answer: Callable[[ConfiguredService, Request, str], Response],
) -> Callable[[ConfiguredService, Request, str, HostTrace | None], Response]:
    """Return the answer to a request that asks no model, so that it is part of no trace."""
    return lambda service, request, invocation_id, _trace: answer(service, request, invocation_id)


READ, ASK = frozenset({"GET", "HEAD"}), frozenset({"POST"})
_HOW_TO_ASK = (
    'Send a question as JSON, with content-type: application/json, for example {"input": "hi"}; the chat page is at /.'
)
ROUTES: Mapping[str, Route] = {
    "/": Route(READ, _read(ConfiguredService.home)),
    "/health": Route(READ, _read(ConfiguredService.health)),
    "/chat": Route(ASK, ConfiguredService.chat),
    "/chat/stream": Route(ASK, _stream),
    "/stream": Route(ASK, _stream),
    "/usage": Route(READ, _read(ConfiguredService.usage)),
}
"""By the path that `requested_path` returns: function_app.py has them as the host matches them, which knows one spelling."""
_PAGE_FILES = "/page/"
_OPENAI_BASES = ("/v1/", "/openai/")


def _proxy(settings: Settings) -> str:
    """Return the proxy's address through which the collector is asked, '' for none."""
    found = urlsplit(settings.otlp_endpoint)
    return settings.proxies.proxy_for(found.scheme, found.hostname or "", found.port) or ""


def _address(backend: Backend) -> tuple[str, str, int]:
    """Return a backend as `Measured` has it."""
    found = urlsplit(backend.base_url)
    port = found.port or (80 if found.scheme == "http" else 443)
    return "azure.ai.openai" if backend.is_azure else "openai", found.hostname or "", port


def _key_ring(settings: Settings) -> KeyRing:
    """Return the keys that stored responses' ids are signed with. Nothing is read before the first of them."""
    managed = settings.has_managed_identity
    return KeyRing(lambda: find_key_store(os.environ, lambda one: make_credential(managed=managed, client_id=one)))


def _limiter(settings: Settings) -> "Limiter | None":
    """Return the limits of callers; None where there are none, and nothing of them is imported."""
    if not settings.caller_limits:
        return None
    from shared.limits.opening import open_limiter

    managed = settings.has_managed_identity
    return open_limiter(settings, os.environ, lambda one: make_credential(managed=managed, client_id=one))


def _take_up(
    settings: Settings, upstream: Upstream, key_ring: KeyRing, open_streams: OpenStreams
) -> "TakeUpEndpoint | None":
    """Return what serves answers that are taken up again; None, and nothing imported, where RESUME is off."""
    if settings.resume == "off":
        return None
    from shared.chat.resuming import Resuming
    from shared.chat.take_up import TakeUpEndpoint

    return TakeUpEndpoint(Resuming(settings, upstream, key_ring, open_streams), open_streams)


def _usage(settings: Settings, limiter: "Limiter | None") -> "UsageEndpoint | None":
    """Return what records and tells what callers use; None, and nothing imported, where nobody is to know."""
    if limiter is None and not settings.operators:
        return None
    from shared.limits.opening import open_ledger
    from shared.usage.endpoint import UsageEndpoint

    managed = settings.has_managed_identity
    ledger = open_ledger(os.environ, lambda one: make_credential(managed=managed, client_id=one))
    return UsageEndpoint(settings, ledger, limiter)


class MisconfiguredService:
    """The service with an invalid setting: it answers with what is allowed, and logs what was found."""

    def __init__(self, problem: Misconfigured, *, host_checks_keys: bool, warnings: Sequence[str] = ()) -> None:
        """Answer with `problem`. `warnings`: sentences about the settings, for the log."""
        self._warnings = warnings
        self.host_checks_keys = host_checks_keys
        self._problem = problem

    def chat(
        self,
        request: Request,
        invocation_id: str,
        trace: HostTrace | None = None,  # noqa: ARG002
        *,
        must_stream: bool = False,  # noqa: ARG002
    ) -> Response:
        """Return 503 and the sentence."""
        return _context(request, invocation_id).refuse(self._problem)

    def openai(self, request: Request, invocation_id: str, trace: HostTrace | None = None) -> Response:  # noqa: ARG002
        """Return 503 and the sentence."""
        return _context(request, invocation_id).refuse(self._problem)

    def health(self, request: Request, invocation_id: str) -> Response:
        """Return 503 and the version; nothing about the setting."""
        return _context(request, invocation_id).plain(
            b'{"status":"unavailable"}', status=503, media_type="application/json", headers={VERSION_HEADER: VERSION}
        )

    def home(self, request: Request, invocation_id: str) -> Response:
        """Return the chat page to a browser, which shows the sentence when it is asked; 503 to other clients."""
        context = _context(request, invocation_id)
        return _page_file(context) if _is_browser(request) else context.refuse(self._problem)

    def page(self, request: Request, invocation_id: str) -> Response:
        """Return one of the chat page's files, or 404."""
        return _page_file(_context(request, invocation_id))

    def usage(self, request: Request, invocation_id: str) -> Response:
        """Return 503 and the sentence."""
        return _context(request, invocation_id).refuse(self._problem)

    def preflight(self, request: Request, invocation_id: str) -> Response:
        """Return 204 without a header of CORS: which origins are allowed is not known."""
        return _context(request, invocation_id).plain(b"", status=204)

    def unmatched(self, request: Request, invocation_id: str, trace: HostTrace | None = None) -> Response:  # noqa: ARG002
        """Return 503 and the sentence."""
        return _context(request, invocation_id).refuse(self._problem)

    def measured(self) -> Measured | None:
        """Return None: what to export, and where, is not known."""

    def announce(self) -> None:
        """Log what was found, redacted, and what to do then: the settings are read once."""
        for warning in self._warnings:
            _log.warning("%s", warning)
        _log.error("%s Restart the app after a change.", self._problem.operator_message)

    def patched(self, summary: str) -> None:
        """Do nothing: whether DEBUG_HEADERS shows it is not known."""

    async def load(self) -> None:
        """Do nothing: no model is asked."""

    async def drain(self) -> None:
        """Do nothing: no stream is open."""

    async def aclose(self) -> None:
        """Do nothing: no connection is open."""


def _context(request: Request, invocation_id: str) -> RequestContext:
    return RequestContext.of(request, invocation_id, {})


def _is_browser(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _page_file(context: RequestContext) -> Response:
    request = context.request
    answer = page_response(
        requested_path(request.scope),
        if_none_match=request.headers.get("if-none-match", ""),
        accept_encoding=request.headers.get("accept-encoding", ""),
    )
    if answer is None:
        return context.refuse(NotFound.route(request.method, request.url.path))
    return context.plain(answer.body, status=answer.status, headers=answer.headers)
