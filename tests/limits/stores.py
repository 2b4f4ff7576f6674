"""Stores over Azure's emulator, and the scenes that every store has to play."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from shared.limits.tables import LIMITS_TABLE, OpenClient, TableStore, client_of
from shared.state.storage_account import StorageAccount
from tests.state.azurite import Account


class Closing(Protocol):
    """What every store can do."""

    async def close(self) -> None: ...


type Scene[Store] = Callable[[Callable[[], Store]], Awaitable[None]]
"""Takes what opens a store; each call is another process's, over the same rows."""


def opening(account: Account) -> OpenClient:
    """Return what opens a client of the table of limits."""
    named = StorageAccount(connection_string=account.connection_string)

    def no_credential(_: str) -> Any:
        raise AssertionError

    return lambda: client_of(named, LIMITS_TABLE, no_credential)


@asynccontextmanager
async def opened_store(account: Account) -> AsyncIterator[TableStore]:
    """Open the leases of an account, to look at them."""
    store = TableStore(opening(account))
    try:
        yield store
    finally:
        await store.close()


def run_scene[Store: Closing](scene: Scene[Store], open_one: Callable[[], Store]) -> None:
    """Run a scene, and close every store that it has opened."""

    async def main() -> None:
        opened: list[Store] = []

        def open_store() -> Store:
            opened.append(open_one())
            return opened[-1]

        try:
            await scene(open_store)
        finally:
            for store in opened:
                await store.close()

    asyncio.run(main())
