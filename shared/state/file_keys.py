"""Signing keys in a folder of the project: for development without storage, where all processes share one disk."""

import asyncio
import contextlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from shared.state.signing_key import FIRST_NUMBER, LAST_NUMBER, KeyStoreError

FOLDER = Path(__file__).resolve().parents[2] / ".state"
"""Ignored by git and never deployed (.gitignore, .funcignore)."""
_NAME = re.compile(r"signing-key-([1-9][0-9]{0,2})")


class FileKeyStore:
    """One file a key, readable by its owner alone. Another number in the name is another key."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Read nothing yet."""
        self._folder = folder

    async def read(self) -> Mapping[int, bytes]:
        """Return the content of each file, by number."""
        return await asyncio.to_thread(self._read)

    async def add(self, number: int, secret: bytes) -> None:
        """Make the file, unless it is there already."""
        await asyncio.to_thread(self._add, number, secret)

    def _read(self) -> dict[int, bytes]:
        try:
            named = [(_NAME.fullmatch(path.name), path) for path in self._folder.iterdir()]
            return {
                number: path.read_bytes()
                for match, path in named
                if match and FIRST_NUMBER <= (number := int(match[1])) <= LAST_NUMBER
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise KeyStoreError(f"the folder .state cannot be read ({type(error).__name__})") from error

    def _add(self, number: int, secret: bytes) -> None:
        unfinished = self._folder / f".{secrets.token_hex(8)}"
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secret)
            with contextlib.suppress(FileExistsError):
                # The name appears with the content behind it, and only where there is none: rename would replace.
                os.link(unfinished, self._folder / f"signing-key-{number}")
        except OSError as error:
            raise KeyStoreError(f"the folder .state cannot be written ({type(error).__name__})") from error
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink()
