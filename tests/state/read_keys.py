"""A process that reads the signing keys as the app would, and prints as JSON what it saw on the way.

Standard error stays empty.
"""

import asyncio
import json
import os
import sys
import threading
from hashlib import sha256
from importlib.abc import MetaPathFinder
from typing import Any

from shared.state.key_stores import find_key_store
from shared.state.signing_key import KeyRing
from shared.upstream.identity import make_credential


class _Watch(MetaPathFinder):
    """Finds nothing; notes which thread imports azure.storage and azure.identity."""

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def find_spec(self, fullname: str, *_: Any) -> None:
        if fullname in ("azure.storage.blob", "azure.identity.aio"):
            self.threads.add("main" if threading.current_thread() is threading.main_thread() else "other")


async def main() -> None:
    watch = _Watch()
    sys.meta_path.insert(0, watch)
    ring = KeyRing(
        lambda: find_key_store(os.environ, lambda client_id: make_credential(managed=True, client_id=client_id)),
        read_seconds=40,  # several processes import at once, on a machine that has other work
    )
    before = sorted(name for name in sys.modules if name.partition(".")[0] in ("azure", "aiohttp", "openai"))
    keys = await ring.keys()
    print(
        json.dumps(
            {
                "keys": [[key.number, sha256(key.secret).hexdigest()] for key in keys],
                "imported_before": before,
                "imported_in": sorted(watch.threads),
            }
        )
    )


asyncio.run(main())
