"""What the host answers itself, before any function is asked: its state, and its home page where no function is at the root.

The real host has more below `/admin/`, and passes what it does not know there to the functions, as this one does.
"""

import json
from dataclasses import dataclass

from dev.functions_host.request import Request
from dev.functions_host.state import HostState

HOME_PAGE = b"""<!doctype html>
<meta charset="utf-8">
<title>Functions host (development)</title>
<p>Your Functions app is up and running. This is the home page of the development host, not of your app:
set <code>AzureWebJobsDisableHomepage=true</code> to serve your own here.</p>
"""
STATUS_PATH = "/admin/host/status"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    content_type: bytes = b"text/plain"


async def own_answer(host: HostState, request: Request) -> Answer | None:
    """Return the host's answer, or None when the request is for the functions."""
    if host.stopping:
        return Answer(503)
    if request.path == "/":
        return await _home(host, request)
    if request.path.lower() == STATUS_PATH and request.method == "GET":
        return Answer(200, json.dumps(await host.status(), indent=2).encode() + b"\n", b"application/json")
    return None


async def _home(host: HostState, request: Request) -> Answer | None:
    worker = await host.supervisor.worker()
    if worker is None or worker.table.find(request.method, "/") is not None:
        return None
    return Answer(200, HOME_PAGE, b"text/html") if host.settings.homepage else Answer(204)
