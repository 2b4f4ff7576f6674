"""The application: made once per process, hands each request to its api. Never fails to be made.

With an invalid setting it still answers every request, with the name of the setting and what is allowed.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from shared.chat.endpoint import ChatEndpoint
from shared.config.settings import Settings, host_checks_keys
from shared.errors import Misconfigured, NotFound
from shared.hosting.console import show_records
from shared.hosting.server import importing, tune
from shared.hosting.telemetry import Telemetry
from shared.hosting.telemetry_target import TelemetryTarget
from shared.http.context import RequestContext
from shared.http.cors import cors_headers, preflight_headers
from shared.http.open_streams import OpenStreams
from shared.openai_api.endpoint import OpenAIEndpoint
from shared.page.files import page_response
from shared.page.home import home_text
from shared.upstream.attempts import Upstream
from shared.upstream.client import OpenAIClients
from shared.upstream.pool import BackendPool

_log = logging.getLogger(__name__)


class Service:
    """One method per function of the app; each returns its response object at once."""

    def __init__(
        self,
        settings: Settings | None,
        problem: Misconfigured | None,
        target: TelemetryTarget,
        *,
        host_checks_keys: bool,
    ) -> None:
        self.host_checks_keys = host_checks_keys
        """Whether the functions are to ask for the host's function key."""
        self._settings = settings
        self._problem = problem
        self._open_streams = OpenStreams(settings.max_open_streams if settings else 0)
        load: Callable[[], Awaitable[None]] = _nothing
        if settings:
            clients = OpenAIClients(settings)
            load = clients.load
            upstream = Upstream(clients, BackendPool(settings.backends), settings)
            self._chat = ChatEndpoint(settings, upstream, self._open_streams)
            self._openai = OpenAIEndpoint(settings, upstream, self._open_streams)
        telemetry = Telemetry(target)

        async def warm_up() -> None:
            with importing():
                await load()
            await telemetry.start(importing)

        drain_seconds = settings.drain_seconds if settings else 0.0  # without settings no stream is ever open
        tune(partial(self._open_streams.drain, drain_seconds), warm_up, telemetry.stop)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Service":
        """Read the settings. An invalid one is logged with what was found, and answered with what is allowed."""
        show_records(env)
        target = TelemetryTarget.from_env(env)
        by_host = host_checks_keys(env)
        try:
            settings = Settings.from_env(env)
        except Misconfigured as problem:
            service = cls(None, problem, target, host_checks_keys=by_host)
            _log.error("%s", problem.operator_message)  # once the service listens for Application Insights
            return service
        service = cls(settings, None, target, host_checks_keys=by_host)
        if settings.auth_mode == "anonymous":
            _log.warning("AUTH_MODE is 'anonymous': anyone who finds this address can spend tokens.")
        return service

    def chat(self, request: Request, invocation_id: str, *, must_stream: bool = False) -> Response:
        """POST /chat, /stream, /chat/stream."""
        context = self._context(request, invocation_id)
        if self._problem is not None:
            return context.refuse(self._problem)
        return self._chat.respond(context, must_stream=must_stream)

    def openai(self, request: Request, invocation_id: str) -> Response:
        """Everything under /v1 and /openai."""
        context = self._context(request, invocation_id)
        if self._problem is not None:
            return context.refuse(self._problem)
        return self._openai.respond(context)

    def health(self, request: Request, invocation_id: str) -> Response:
        """GET /health: whether this instance can serve; nothing about its inside."""
        context = self._context(request, invocation_id)
        if self._problem is not None:
            return context.plain(b'{"status":"unavailable"}', status=503, media_type="application/json")
        return context.plain(b'{"status":"ok"}', media_type="application/json", headers={"cache-control": "no-store"})

    def home(self, request: Request, invocation_id: str) -> Response:
        """GET /: the chat page for a browser, a curl line for everybody else.

        The page is served whatever the settings are: it shows the sentence that every question is answered with.
        """
        context = self._context(request, invocation_id)
        if "text/html" in request.headers.get("accept", ""):
            return self._page_file(context)
        if self._problem is not None:
            return context.refuse(self._problem)
        text = home_text(request, needs_key=self.host_checks_keys)
        headers = {"vary": "accept", "x-content-type-options": "nosniff", "cache-control": "no-cache"}
        return context.plain(text, media_type="text/plain", headers=headers)

    def page(self, request: Request, invocation_id: str) -> Response:
        """GET /page/…: what the chat page is made of."""
        return self._page_file(self._context(request, invocation_id))

    def _page_file(self, context: RequestContext) -> Response:
        request = context.request
        answer = page_response(
            request.url.path,
            if_none_match=request.headers.get("if-none-match", ""),
            accept_encoding=request.headers.get("accept-encoding", ""),
        )
        if answer is None:
            return context.refuse(NotFound(f"There is nothing at {request.url.path}."))
        return context.plain(answer.body, status=answer.status, headers=answer.headers)

    def preflight(self, request: Request, invocation_id: str) -> Response:
        """OPTIONS on anything that a browser may call from another origin."""
        context = self._context(request, invocation_id)
        extra = preflight_headers(self._settings, request.headers) if self._settings else {}
        return context.plain(b"", status=204, headers=extra)

    def _context(self, request: Request, invocation_id: str) -> RequestContext:
        cors = cors_headers(self._settings, request.headers) if self._settings else {}
        return RequestContext.of(request, invocation_id, cors)


async def _nothing() -> None:
    """There is nothing to warm up."""
