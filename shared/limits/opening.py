"""The limiter and the ledger that the settings describe. Imported only where CALLER_LIMITS or OPERATORS is set."""

import logging
from collections.abc import Mapping
from typing import NoReturn

from shared.config.caller_limits import LimitsPolicy
from shared.config.settings import Settings
from shared.limits.ledger import Ledger
from shared.limits.limiter import Limiter
from shared.limits.memory_store import MemoryStore
from shared.limits.memory_usage import MemoryUsage
from shared.limits.store import LeaseStore, StoreError
from shared.limits.tables import LIMITS_TABLE, MakeCredential, OpenClient, TableStore, client_of
from shared.limits.usage_tables import UsageTable
from shared.state.signing_key import KeyStoreError
from shared.state.storage_account import StorageAccount

_log = logging.getLogger(__name__)


def open_limiter(settings: Settings, env: Mapping[str, str], make_credential: MakeCredential) -> Limiter:
    """Return the limiter. Nothing is asked or connected before the first answer."""
    policy = LimitsPolicy(
        callers=settings.caller_limits,
        is_shadow=settings.limits_mode == "shadow",
        when_store_fails=settings.limits_when_store_fails,
    )
    return Limiter(policy, _store(env, make_credential))


def open_ledger(env: Mapping[str, str], make_credential: MakeCredential) -> Ledger:
    """Return the ledger. Nothing is asked or connected before the first answer."""
    try:
        account = _account(env)
    except StoreError as error:
        return Ledger(UsageTable(_unusable(str(error))))
    if account is None:
        _log.warning("What callers use is kept in this process only: no storage account is named for this machine")
        return Ledger(MemoryUsage())
    return Ledger(UsageTable(lambda: client_of(account, LIMITS_TABLE, make_credential)))


def _store(env: Mapping[str, str], make_credential: MakeCredential) -> LeaseStore:
    """Return the store of leases; one that cannot be asked, so that LIMITS_WHEN_STORE_FAILS decides, where none is named."""
    try:
        account = _account(env)
    except StoreError as error:
        return TableStore(_unusable(str(error)))
    if account is None:
        _log.warning("CALLER_LIMITS hold in this process only: no storage account is named for this machine")
        return MemoryStore()
    return TableStore(lambda: client_of(account, LIMITS_TABLE, make_credential))


def _account(env: Mapping[str, str]) -> StorageAccount | None:
    """Return the account with tables; None on a machine that has none. Raise `StoreError` where it cannot be used."""
    try:
        account = StorageAccount.from_env(env)
    except KeyStoreError as error:
        raise StoreError(str(error)) from None
    is_named = account is not None and bool(account.table_service_uri or account.connection_string)
    if not is_named and (account is not None or env.get("WEBSITE_SITE_NAME")):
        raise StoreError("no table service is named; expected AzureWebJobsStorage__tableServiceUri")
    return account


def _unusable(why: str) -> OpenClient:
    def fail() -> NoReturn:
        raise StoreError(why)

    return fail
