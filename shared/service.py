"""The application: made once per process, hands each request to its face. Never fails to be made.

With a wrong setting it still answers every request, with the one sentence that says what to mend.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from shared.chat.endpoint import ChatFace
from shared.config.settings import Settings, host_checks_keys
from shared.errors import Misconfigured, NotFound
from shared.hosting.telemetry import Telemetry, TelemetryTarget
from shared.hosting.worker import importing, tune
from shared.http.context import Arrival
from shared.http.cors import cors_headers, preflight_headers
from shared.http.open_streams import OpenStreams
from shared.openai_api.endpoint import OpenAIFace
from shared.page.files import page_answer
from shared.page.home import home_text
from shared.upstream.attempts import Upstream
from shared.upstream.client import UpstreamClients
from shared.upstream.pool import BackendPool

_log = logging.getLogger(__name__)
_DEFAULT_DRAIN_SECONDS = 25.0


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
            clients = UpstreamClients(settings)
            load = clients.load
            upstream = Upstream(clients, BackendPool(settings.backends), settings)
            self._chat = ChatFace(settings, upstream, self._open_streams)
            self._openai = OpenAIFace(settings, upstream, self._open_streams)
        telemetry = Telemetry(target)

        async def warm_up() -> None:
            with importing():
                await load()
            await telemetry.start()

        drain_seconds = settings.drain_seconds if settings else _DEFAULT_DRAIN_SECONDS
        tune(partial(self._open_streams.drain, drain_seconds), warm_up, telemetry.stop)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Service":
        """Reads the settings. A wrong one is logged, kept, and told to every caller."""
        target = TelemetryTarget.from_env(env)
        by_host = host_checks_keys(env)
        try:
            settings = Settings.from_env(env)
        except Misconfigured as problem:
            _log.error("%s", problem.message)
            return cls(None, problem, target, host_checks_keys=by_host)
        if settings.auth_mode == "anonymous":
            _log.warning("AUTH_MODE is 'anonymous': anyone who finds this address can spend tokens.")
        return cls(settings, None, target, host_checks_keys=by_host)

    def chat(self, request: Request, invocation_id: str, *, must_stream: bool = False) -> Response:
        """POST /chat, /stream, /chat/stream."""
        arrival = self._arrival(request, invocation_id)
        if self._problem is not None:
            return arrival.refuse(self._problem)
        return self._chat.respond(arrival, must_stream=must_stream)

    def openai(self, request: Request, invocation_id: str) -> Response:
        """Everything under /v1 and /openai."""
        arrival = self._arrival(request, invocation_id)
        if self._problem is not None:
            return arrival.refuse(self._problem)
        return self._openai.respond(arrival)

    def health(self, request: Request, invocation_id: str) -> Response:
        """GET /health: whether this instance can serve; nothing about its inside."""
        arrival = self._arrival(request, invocation_id)
        if self._problem is not None:
            return arrival.plain(b'{"status":"unavailable"}', status=503, media_type="application/json")
        return arrival.plain(b'{"status":"ok"}', media_type="application/json", headers={"cache-control": "no-store"})

    def home(self, request: Request, invocation_id: str) -> Response:
        """GET /: the chat page for a browser, a curl line for everybody else.

        The page is served whatever the settings are: it shows the sentence that every question is answered with.
        """
        arrival = self._arrival(request, invocation_id)
        if "text/html" in request.headers.get("accept", ""):
            return self._page_file(arrival)
        if self._problem is not None:
            return arrival.refuse(self._problem)
        text = home_text(request, needs_key=self.host_checks_keys)
        headers = {"vary": "accept", "x-content-type-options": "nosniff", "cache-control": "no-cache"}
        return arrival.plain(text, media_type="text/plain", headers=headers)

    def page(self, request: Request, invocation_id: str) -> Response:
        """GET /page/…: what the chat page is made of."""
        return self._page_file(self._arrival(request, invocation_id))

    def _page_file(self, arrival: Arrival) -> Response:
        request = arrival.request
        answer = page_answer(
            request.url.path,
            if_none_match=request.headers.get("if-none-match", ""),
            accept_encoding=request.headers.get("accept-encoding", ""),
        )
        if answer is None:
            return arrival.refuse(NotFound(f"There is nothing at {request.url.path}."))
        return arrival.plain(answer.body, status=answer.status, headers=answer.headers)

    def preflight(self, request: Request, invocation_id: str) -> Response:
        """OPTIONS on anything that a browser may call from another origin."""
        arrival = self._arrival(request, invocation_id)
        extra = preflight_headers(self._settings, request.headers) if self._settings else {}
        return arrival.plain(b"", status=204, headers=extra)

    def _arrival(self, request: Request, invocation_id: str) -> Arrival:
        cors = cors_headers(self._settings, request.headers) if self._settings else {}
        return Arrival.of(request, invocation_id, cors)


async def _nothing() -> None:
    """There is nothing to warm up."""
