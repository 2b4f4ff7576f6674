"""`python -m tests.matrix`: ask every client everything, and write the table of docs/clients.md.

Ends with status 1 where a cell that was green is red, or one is red at the app alone; that client's row stays as it was.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import Any

from dev.simulator.control import Simulator
from shared.config.caller_keys import make_caller_key
from tests.app_process import App
from tests.matrix.clients import AGENTS, CLIENTS, NODE, Client
from tests.matrix.documents import DOCUMENT, with_table
from tests.matrix.results import RED, Result, lost, merged, read, write
from tests.matrix.run import Course, Side
from tests.node.toolchain import MISSING, find_node

ACCOUNTS = ("main", "second")
UPSTREAM_KEY = "key-of-the-upstream"
UNLIKE = {"encrypts": True, "knows_items": True, "caches": True}
"""Each account knows its own encrypted reasoning and stored items alone."""
PATIENT: dict[str, Any] = {"COMMIT_SECONDS": "10", "HEARTBEAT_SECONDS": "15", "FIRST_CONTENT_SECONDS": "30"}
AT_ONCE = 2


def main() -> int:
    options = _options()
    only = set(filter(None, options.only.split(",")))
    chosen = [client for client in CLIENTS if not only or client.name in only]
    if unknown := only - {client.name for client in CLIENTS}:
        print(f"No such client: {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    new = list(_results(chosen, verbose=options.verbose))
    kept = read()
    gone = lost(kept, new)
    own = [one for one in new if one.is_the_apps]
    slowest = max((one.seconds for one in new if one.seconds is not None), default=0.0)
    print(
        f"{len(new)} cells: {len(own)} red at the app alone, {len(gone)} were green before; slowest to stop: {slowest:.2f} s"
    )
    bad = {one.client for one in gone + own}
    results = merged(read(), [one for one in new if one.client not in bad], [client.name for client in CLIENTS])
    write(results)
    DOCUMENT.write_text(with_table(DOCUMENT.read_text("utf-8"), results), "utf-8")
    return 1 if bad else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--only", default="", metavar="CLIENT,…", help="some clients; the others keep their rows")
    parser.add_argument("--verbose", action="store_true", help="print what the programs print")
    return parser.parse_args()


def _results(clients: list[Client], *, verbose: bool) -> Iterator[Result]:
    node = find_node()
    if node is None:
        raise SystemExit(MISSING)
    for folder in (NODE, AGENTS):
        if any(client.environment == folder for client in clients):
            node.install(folder)
    with _sides() as (upstream, apps, key), ThreadPoolExecutor(AT_ONCE) as pool:
        free: SimpleQueue[App] = SimpleQueue()
        for app in apps:
            free.put(app)
        course = Course(upstream, node, verbose=verbose)

        def run(client: Client) -> list[Result]:
            began = time.monotonic()
            direct = None if client.direct is None else Side(upstream.backends["main"] + client.direct, UPSTREAM_KEY)
            app = free.get()  # its own: an account that is at one client's limit would move another's conversation
            try:
                found = course.run(client, Side(app.url, key), direct)
            finally:
                free.put(app)
            signs = " ".join(f"{one.cell}:{one.colour}" for one in found)
            print(f"{client.name} {client.version} ({time.monotonic() - began:.0f} s) {signs}", flush=True)
            for one in found:
                if one.colour == RED:
                    print(f"  red: {one.cell}: {one.note}", flush=True)
            return found

        for found in pool.map(run, clients):
            yield from found


@contextmanager
def _sides() -> Iterator[tuple[Simulator, Sequence[App], str]]:
    """Two accounts that are not interchangeable, an app before them for each client at once, and a caller's key for it."""
    key, entry = make_caller_key("clients")
    with ExitStack() as stack:
        upstream = stack.enter_context(Simulator.start(backends=ACCOUNTS, key=UPSTREAM_KEY))
        upstream.set_accounts(UNLIKE)
        backends = json.dumps([{"name": name, "endpoint": upstream.backends[name]} for name in ACCOUNTS])
        settings = {"AUTH_MODE": "keys", "CALLER_KEYS": entry, "AZURE_OPENAI_BACKENDS": backends, **PATIENT}
        yield upstream, [stack.enter_context(App.start(upstream, **settings)) for _ in range(AT_ONCE)], key


if __name__ == "__main__":
    sys.exit(main())
