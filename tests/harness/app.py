"""The app without its processes: settings, endpoints and pool are real, the clients are scripted, time is virtual."""

import asyncio
import functools
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from shared.chat.dialects import DIALECTS
from shared.chat.endpoint import ChatEndpoint
from shared.chat.grounding import Grounding
from shared.chat.resuming import Resuming
from shared.chat.take_up import TakeUpEndpoint
from shared.config.caller_limits import LimitsPolicy
from shared.config.settings import Settings
from shared.errors import AnswerError
from shared.http.auth import authorise
from shared.http.context import RequestContext
from shared.http.cors import cors_headers
from shared.http.open_streams import OpenStreams
from shared.limits.clock import StoreClock
from shared.limits.ledger import Ledger
from shared.limits.limiter import Limiter
from shared.limits.memory_store import MemoryStore
from shared.limits.memory_usage import MemoryUsage
from shared.openai_api.endpoint import OpenAIEndpoint
from shared.receipt import LOGGER_NAME
from shared.state.signing_key import KeyRing
from shared.trace import Tracer
from shared.upstream.attempts import Upstream
from shared.upstream.pool import BackendPool
from shared.usage.endpoint import UsageEndpoint
from tests.harness.caller import Caller, Connection, Received
from tests.harness.keys import MemoryKeys
from tests.harness.search import ScriptedSearch
from tests.harness.upstream import Says, Script, ScriptedClients
from tests.harness.virtual_time import VirtualTimeLoop, run
from tests.worker.ways import WAYS, Outcome, Way

NAMES = ("main", "second", "third")
GOOD = Says()
NOON = 1_795_780_800.0
"""2026-11-27 12:00:00 UTC, when the virtual time of a scene begins for the limits of callers."""
_PATIENT_CALLER = Caller()


class Exchange:
    """One request under way: `received` is what its client has by now."""

    def __init__(self, connection: Connection, task: asyncio.Task[None]) -> None:
        self._connection = connection
        self._task = task
        self.received = connection.received

    def leave(self) -> None:
        """Let the client leave."""
        self._connection.leave()

    def cancel(self) -> None:
        """Cancel the ASGI call from outside, as a server does that gives up."""
        self._task.cancel()

    async def end(self) -> Received:
        """Wait until the ASGI call has returned. Raise what it raised."""
        await self._task
        return self.received


class InProcessApp:
    """The endpoints over scripted backends; made inside a running loop."""

    def __init__(self, scripts: Mapping[str, Script | list[Script]], **settings: str) -> None:
        self.settings = _settings(frozenset(environment(len(scripts), **settings).items()))
        self.clients = ScriptedClients(
            {backend.name: script for backend, script in zip(self.settings.backends, scripts.values(), strict=True)}
        )
        clock = asyncio.get_running_loop().time
        pool = BackendPool(self.settings.backends, clock=clock, rng=lambda: 0.5)
        upstream = Upstream(self.clients, pool, self.settings)
        self.open_streams = OpenStreams(self.settings.max_open_streams)
        self.search = ScriptedSearch()
        grounding = None
        if self.settings.search is not None:
            grounding = Grounding(self.settings, upstream, DIALECTS[self.settings.api], self.search)
        policy = LimitsPolicy(callers=self.settings.caller_limits, is_shadow=self.settings.limits_mode == "shadow")
        self.limits = MemoryStore(lambda: NOON + clock())
        self.limiter = None
        if self.settings.caller_limits:
            self.limiter = Limiter(policy, self.limits, clock=StoreClock(lambda: NOON + clock()))
        self.usage: UsageEndpoint | None = None
        if self.limiter is not None or self.settings.operators:
            self.usage = UsageEndpoint(self.settings, Ledger(MemoryUsage(), clock=lambda: NOON + clock()), self.limiter)
        key_ring = KeyRing(MemoryKeys)
        self.take_up: TakeUpEndpoint | None = None
        if self.settings.resume == "on":
            self.take_up = TakeUpEndpoint(
                Resuming(self.settings, upstream, key_ring, self.open_streams), self.open_streams
            )
        admission = self.usage.admission if self.usage is not None else None
        resuming = None if self.take_up is None else self.take_up.resuming
        self._chat = ChatEndpoint(
            self.settings, upstream, self.open_streams, grounding, resuming=resuming, admission=admission
        )
        self._openai = OpenAIEndpoint(self.settings, upstream, self.open_streams, key_ring, admission=admission)
        self._tracer = Tracer() if self.settings.has_telemetry else None
        self._connections: list[Connection] = []

    @property
    def asked(self) -> dict[str, int]:
        """Return how often each backend was asked; without those that never were."""
        return dict(Counter(asked.backend for asked in self.clients.asked))

    def begin(
        self,
        path: str = "/chat",
        body: object = None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        caller: Caller = _PATIENT_CALLER,
    ) -> Exchange:
        """Call the endpoint of this path, and the response that it returns. `body`: bytes, a JSON value or a prompt."""
        value = {"input": body or "hi"} if body is None or isinstance(body, str) else body
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        connection = Connection(caller, raw)
        self._connections.append(connection)
        scope = request_scope(path, method=method, headers={"content-type": "application/json", **(headers or {})})
        task = asyncio.get_running_loop().create_task(self._call(scope, connection))
        return Exchange(connection, task)

    def ask(self, way: Way, caller: Caller = _PATIENT_CALLER) -> Exchange:
        """Ask in this way, of the ways that there are."""
        return self.begin(way.path, way.body("gpt", "hi"), headers={"accept": way.accept}, caller=caller)

    async def _call(self, scope: Scope, connection: Connection) -> None:
        _receipts.set(connection.received.receipts)
        try:
            await self._respond(scope)(scope, connection.receive, connection.send)
        finally:
            connection.end()

    def _respond(self, scope: Scope) -> Response:
        request = Request(scope)
        cors = cors_headers(self.settings, request.headers)
        context = RequestContext.of(request, "invocation-1", cors, tracer=self._tracer)
        if scope["path"] == "/usage" and self.usage is not None:
            return self.usage.respond(context, authorise(self.settings, request.headers))
        if self.take_up is not None and self.take_up.serves(scope["path"]):
            try:
                return self.take_up.respond(context, scope["path"])
            except AnswerError as error:
                return context.refuse(error)
        if scope["path"].startswith(("/v1", "/openai")):
            return self._openai.respond(context)
        return self._chat.respond(context, must_stream=scope["path"] != "/chat")

    async def check_nothing_is_left(self) -> None:
        """Raise `AssertionError` if an upstream, a task, a timer or a place is left, or a rule of ASGI was broken."""
        if self.limiter is not None:
            await self.limiter.close()
        if self.usage is not None:
            await self.usage.ledger.close()
        if self.take_up is not None:
            self.take_up.resuming.close()
        for _ in range(5):  # what was cancelled ends in the loop's next rounds
            await asyncio.sleep(0)
        still_open = [body.backend for body in self.clients.bodies if body.closed_at is None]
        assert not still_open, f"an upstream is still open: {still_open}"
        assert not self.search.under_way, "a search is still under way"
        assert len(self.open_streams) == 0, "a place is still held"
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks are left: {left}"
        loop = asyncio.get_running_loop()
        timers = loop.timers() if isinstance(loop, VirtualTimeLoop) else []
        assert not timers, f"timers are left: {timers}"
        violations = [violation for connection in self._connections for violation in connection.violations]
        assert not violations, violations


@functools.cache
def _settings(listed: frozenset[tuple[str, str]]) -> Settings:
    """Return the settings of an environment, which are frozen: read once however many scenes have it."""
    return Settings.from_env(dict(listed))


def environment(backends: int, **settings: str) -> dict[str, str]:
    """Return the settings of an open app before so many backends, of falling priority."""
    listed = [
        {"name": name, "endpoint": f"https://{name}.openai.azure.com", "priority": priority}
        for priority, name in enumerate(NAMES[:backends])
    ]
    usual = {"AUTH_MODE": "anonymous", "AZURE_OPENAI_DEPLOYMENT": "gpt", "AZURE_OPENAI_BACKENDS": json.dumps(listed)}
    return usual | {"DEBUG_HEADERS": "true"} | settings


def request_scope(path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Scope:
    """Return the ASGI scope of a request; `path` may have a query."""
    path, _, query = path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in (headers or {}).items()
        ],
        "client": ("127.0.0.1", 50000),
        "server": ("app.example.com", 80),
    }


def play[T](
    scene: Callable[[InProcessApp], Awaitable[T]],
    scripts: Mapping[str, Script | list[Script]] | None = None,
    **settings: str,
) -> T:
    """Run a scene in virtual time, then check that it has left nothing behind."""

    async def main() -> T:
        app = InProcessApp(scripts or {"main": GOOD}, **settings)
        found = await scene(app)
        await app.check_nothing_is_left()
        return found

    return run(main())


def ask_in(
    way: str, scripts: Sequence[Script | list[Script]], *, caller: Caller = _PATIENT_CALLER, **settings: str
) -> tuple[Outcome, dict[str, int], Received]:
    """Ask once; return what came of it, how often each backend was asked, and all that the client received."""

    async def scene(app: InProcessApp) -> tuple[Outcome, dict[str, int], Received]:
        received = await app.ask(WAYS[way], caller).end()
        return WAYS[way].outcome(received.seen), app.asked, received

    return play(scene, dict(zip(NAMES, scripts, strict=False)), **settings)


_receipts: ContextVar[list[dict[str, Any]]] = ContextVar("receipts")


class _ReceiptHandler(logging.Handler):
    """Gives each receipt to the request whose task logs it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Parse the line."""
        if (found := _receipts.get(None)) is not None:
            found.append(json.loads(record.getMessage()))


logging.getLogger(LOGGER_NAME).addHandler(_ReceiptHandler())
logging.getLogger(LOGGER_NAME).setLevel(logging.INFO)
