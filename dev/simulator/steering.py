"""The control API: set behaviours, read records, reset. It answers in JSON and is not subject to behaviours."""

import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec

from dev.simulator import identity
from dev.simulator.account import AccountState, account
from dev.simulator.backend import Backend
from dev.simulator.behaviour import Behaviour, BehaviourError, behaviour
from dev.simulator.body import Body
from dev.simulator.identity import Identity, IdentityBehaviour, identity_behaviour
from dev.simulator.records import Log, Record
from dev.simulator.search.service import SearchService, search_behaviours
from dev.simulator.service import Service
from dev.simulator.wire import Exchange

EVERY_BACKEND = "*"
USUAL_TIMEOUT_SECONDS = 5.0


class SteeringError(ValueError):
    """The control request is invalid; the message gives the reason."""


class NotYetError(Exception):
    """The awaited records did not arrive in time."""


class Steering:
    def __init__(
        self,
        services: dict[str, tuple[Service, Backend]],
        owner: Identity,
        log: Log,
        search: SearchService,
        finder: Backend,
    ) -> None:
        self._search = search
        self._finder = finder
        self._services = services
        self._identity = owner
        self._log = log
        self._handlers: dict[tuple[str, str], Callable[[Exchange], Awaitable[Any]]] = {
            ("GET", "/"): self._help,
            ("PUT", "/behaviours"): self._set_behaviours,
            ("GET", "/behaviours"): self._behaviours,
            ("PUT", "/accounts"): self._set_accounts,
            ("GET", "/accounts"): self._accounts,
            ("PUT", "/search"): self._set_search,
            ("PUT", "/search/closed"): self._close_search,
            ("PUT", "/identity"): self._set_identity,
            ("POST", "/identity/revoke"): self._revoke,
            ("GET", "/identity/requests"): self._identity_requests,
            ("GET", "/identity/requests/wait"): self._wait_identity,
            ("GET", "/requests"): self._requests,
            ("GET", "/requests/wait"): self._wait,
            ("GET", "/responses"): self._responses,
            ("POST", "/reset"): self._reset,
        }

    async def answer(self, exchange: Exchange) -> None:
        if exchange.path == identity.PATH:
            await self._identity.answer(exchange)
            return
        handler = self._handlers.get((exchange.method, exchange.path))
        status, found = 200, None
        try:
            if handler is None:
                status, found = (
                    404,
                    {"error": f"no route {exchange.method} {exchange.path}; GET / lists them"},
                )
            else:
                found = await handler(exchange)
        except (SteeringError, BehaviourError) as error:
            status, found = 400, {"error": str(error)}
        except NotYetError as error:
            status, found = 408, {"error": str(error)}
        data = msgspec.json.encode(found)
        body = Body(exchange, cut_bytes=None, cut_seed=None, gzip=False)
        await body.head(status, {"content-type": "application/json"}, length=len(data))
        await body.write(data)
        await body.finish()

    async def _help(self, _: Exchange) -> Any:
        return {"control": [f"{method} {path}" for method, path in self._handlers], "backends": list(self._services)}

    # Behaviours.

    async def _set_behaviours(self, exchange: Exchange) -> Any:
        """Replace the queue of each named backend; `*` means all. Everything is validated before anything changes."""
        queues: dict[str, deque[Behaviour]] = {}
        for name, given in self._by_backend(exchange, "[behaviour, …]"):
            queues[name] = deque(behaviour(one) for one in (given if isinstance(given, list) else [given]))
        for name, queue in queues.items():
            service, backend_of = self._services[name]
            await backend_of.open()
            for one in queue:
                if one.refuse_connection is not False:
                    await backend_of.refuse(_seconds(one.refuse_connection))
                elif one.drop_connection is not False:
                    await backend_of.drop(_seconds(one.drop_connection))
            service.queue = deque(
                one for one in queue if one.refuse_connection is False and one.drop_connection is False
            )
        return await self._behaviours(exchange)

    async def _behaviours(self, _: Exchange) -> Any:
        return {name: list(service.queue) for name, (service, _) in self._services.items()}

    def _by_backend(self, exchange: Exchange, form: str) -> Iterator[tuple[str, Any]]:
        """Return what is given for each backend, in the order in which it is to take effect."""
        wanted = _json(exchange)
        if not isinstance(wanted, dict):
            raise SteeringError(f'expected {{"<backend>": {form}}}')
        for name, given in wanted.items():
            if name != EVERY_BACKEND and name not in self._services:
                raise SteeringError(f"no backend is called {name!r}; there are {', '.join(self._services)}")
            for backend in self._services if name == EVERY_BACKEND else [name]:
                yield backend, given

    # Accounts.

    async def _set_accounts(self, exchange: Exchange) -> Any:
        """Makes each account that is named a new one, with an empty cache. Checked as a whole before anything changes."""
        states = {name: AccountState(name, account(given)) for name, given in self._by_backend(exchange, "account")}
        for name, state in states.items():
            self._services[name][0].account = state
        return await self._accounts(exchange)

    async def _accounts(self, _: Exchange) -> Any:
        return {name: service.account.settings for name, (service, _) in self._services.items()}

    async def _set_identity(self, exchange: Exchange) -> Any:
        self._identity.behave(identity_behaviour(_json(exchange)))
        return {}

    async def _revoke(self, _: Exchange) -> Any:
        self._identity.revoke()
        return {}

    async def _set_search(self, exchange: Exchange) -> Any:
        """Replace the queue of the search's bad habits."""
        self._search.queue = search_behaviours(_json(exchange))
        await self._finder.open()
        return list(self._search.queue)

    async def _close_search(self, _: Exchange) -> Any:
        """Refuse connections to the search until its habits are set."""
        await self._finder.refuse(None)
        return {}

    # Records.

    async def _requests(self, exchange: Exchange) -> Any:
        return [record.public() for record in self._log.find(exchange.query)]

    async def _identity_requests(self, exchange: Exchange) -> Any:
        return [record.public() for record in self._identity.log.find(exchange.query)]

    async def _responses(self, _: Exchange) -> Any:
        return {"running": sum(service.store.running for service, _ in self._services.values())}

    async def _wait(self, exchange: Exchange) -> Any:
        return (await _wait(self._log, exchange.query)).public()

    async def _wait_identity(self, exchange: Exchange) -> Any:
        return (await _wait(self._identity.log, exchange.query)).public()

    async def _reset(self, _: Exchange) -> Any:
        """Reset behaviours, accounts, records and stored responses. Tokens stay valid, because clients cache them."""
        for service, backend in self._services.values():
            service.queue.clear()
            service.account = AccountState(service.name)
            await service.store.clear()
            service.objects.clear()
            await backend.open()
        self._search.queue.clear()
        await self._finder.open()
        self._identity.behave(IdentityBehaviour())
        self._identity.log.clear()
        self._log.clear()
        return {}


async def _wait(log: Log, query: dict[str, str]) -> Record:
    try:
        count, seconds = int(query.get("count", 1)), float(query.get("timeout", USUAL_TIMEOUT_SECONDS))
    except ValueError as error:
        raise SteeringError("`count` and `timeout` are numbers") from error
    found = await log.wait(query, count=count, timeout=seconds)
    if found is None:
        raise NotYetError(f"no such record within {seconds} s: {query}")
    return found


def _json(exchange: Exchange) -> Any:
    try:
        return json.loads(exchange.body)
    except ValueError as error:
        raise SteeringError(f"not JSON: {error}") from error


def _seconds(value: float) -> float | None:
    """Parse a duration in seconds; `true` means indefinitely."""
    return None if value is True else value
