"""The keys that stored responses' ids are signed with: read once per process, when the first such id is signed or opened.

Where they are kept is a `KeyStore`'s business. Nothing is imported and no setting is read before the first call.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.errors import StateUnavailable

_log = logging.getLogger(__name__)

SECRET_BYTES = 32
FIRST_NUMBER = 1
LAST_NUMBER = 255
"""A key's number takes one byte of an id."""
READ_SECONDS = 5.0
"""The maximum time for reading the keys, imports included."""
FAILURE_SECONDS = 2.0
"""How long a failure is the answer to every call, before the store is asked again."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret of `SECRET_BYTES`, and its number, which every id that it signs carries."""

    number: int
    secret: bytes = field(repr=False)


class KeyStoreError(Exception):
    """The keys cannot be read. The text is for the operator's log: no secret, and no text of a vendor's exception."""


class KeyStore(Protocol):
    """Where the secrets are kept, each under its number. Every instance and process of the app sees the same ones."""

    async def read(self) -> Mapping[int, bytes]:
        """Return every secret by its number; nothing where none was stored yet. Raise `KeyStoreError`."""
        ...

    async def add(self, number: int, secret: bytes) -> None:
        """Store a secret, whole or not at all, unless there is one under this number. Raise `KeyStoreError`."""
        ...


class KeyRing:
    """The keys of this process. One read serves all who wait, and goes on when they have left."""

    def __init__(
        self,
        open_store: Callable[[], KeyStore],
        *,
        clock: Callable[[], float] = time.monotonic,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        """`open_store` is called at the first read, and after each failure. It may raise `KeyStoreError`."""
        self._open_store = open_store
        self._clock = clock
        self._read_seconds = read_seconds
        self._keys: tuple[SigningKey, ...] = ()
        self._reading: asyncio.Task[None] | None = None
        self._failed_until = float("-inf")
        self._has_failed = False

    def start(self) -> None:
        """Begin to read the keys, for whoever asks for them next. Return at once."""
        if not self._keys and self._reading is None and self._clock() >= self._failed_until:
            self._reading = asyncio.create_task(self._read())

    async def keys(self) -> tuple[SigningKey, ...]:
        """Return every key, the newest first: it signs, all of them verify. Raise `StateUnavailable`."""
        self.start()
        if self._reading is not None:
            await asyncio.shield(self._reading)
        if not self._keys:
            raise StateUnavailable("Stored responses are not available right now; everything else is. Try again later.")
        return self._keys

    async def keys_if_available(self) -> tuple[SigningKey, ...]:
        """Return what `keys` does, or () where they cannot be had. After a failure nobody waits for the next read."""
        self.start()
        if self._reading is not None and not self._has_failed:
            await asyncio.shield(self._reading)
        return self._keys

    async def _read(self) -> None:
        """Raise nothing, since nobody may be left to hear it."""
        try:
            async with asyncio.timeout(self._read_seconds):
                self._keys = await _read_or_create(self._open_store())
        except TimeoutError:
            self._fail(f"no answer within {self._read_seconds:g} s")
        except KeyStoreError as error:
            self._fail(str(error))
        except Exception:  # noqa: BLE001 - logged, and whatever it is, those who wait get an answer
            self._fail("unexpected error")
            _log.exception("The signing key of stored responses could not be read")
        finally:
            self._reading = None

    def _fail(self, why: str) -> None:
        self._has_failed = True
        self._failed_until = self._clock() + FAILURE_SECONDS
        _log.error("Stored responses are answered with 503, because the key that signs their ids is not there: %s", why)


async def _read_or_create(store: KeyStore) -> tuple[SigningKey, ...]:
    secrets_by_number = await store.read()
    if not secrets_by_number:
        await store.add(FIRST_NUMBER, secrets.token_bytes(SECRET_BYTES))
        secrets_by_number = await store.read()  # the first writer's, who may be another process
    keys = [SigningKey(number, secret) for number, secret in secrets_by_number.items() if len(secret) == SECRET_BYTES]
    if len(keys) < len(secrets_by_number):
        invalid = sorted(secrets_by_number.keys() - {key.number for key in keys})
        _log.error("Signing keys that have not %s bytes are left out: %s", SECRET_BYTES, invalid)
    if not keys:
        raise KeyStoreError(f"no key of {SECRET_BYTES} bytes was found")
    return tuple(sorted(keys, key=lambda key: key.number, reverse=True))
