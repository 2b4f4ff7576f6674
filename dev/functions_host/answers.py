"""What the host answers itself, before any function is asked: its home page, its state, and nothing under reserved paths."""

import json
from dataclasses import dataclass

from dev.functions_host.functions import RESERVED
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
    """None when it is for the functions."""
    path = request.path
    if host.stopping:
        return Answer(503)
    if path == "/":
        return await _home(host, request)
    if path.lower() == STATUS_PATH and request.method == "GET":
        return Answer(200, json.dumps(await host.status(), indent=2).encode() + b"\n", b"application/json")
    if path.lower().lstrip("/").partition("/")[0] in RESERVED:
        return Answer(404)
    return None


async def _home(host: HostState, request: Request) -> Answer | None:
    if host.settings.homepage:
        return Answer(200, HOME_PAGE, b"text/html")
    worker = await host.supervisor.worker()
    taken = worker is None or worker.table.find(request.method, "/") is not None
    return None if taken else Answer(204)
