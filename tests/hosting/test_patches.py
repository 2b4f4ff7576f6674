"""The table of patches: each row with the libraries' own shape, and with every shape that would be a wrong one."""

import asyncio
import gc
import importlib._bootstrap
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from starlette.convertors import CONVERTOR_TYPES
from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from shared.hosting import shapes
from shared.hosting.installation import Installation
from shared.hosting.late_packages import LatePackage
from shared.hosting.patches import PATCHES, Patch
from shared.hosting.telemetry import Telemetry
from shared.hosting.telemetry_target import TelemetryTarget
from tests.hosting.application import Application

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.txt", "dev/requirements-run.txt")
NAMES = [row.name for row in PATCHES]


def stand_ins() -> dict[str, Any]:
    """Modules of the shapes that are known, by name; each call makes new ones."""

    class WebServer:
        def __init__(self, hostname: str, port: int, web_app: Any) -> None:
            self.hostname, self.port, self.web_app = hostname, port, web_app.get_app()

        async def serve(self) -> None: ...

    class WebApp:
        def __init__(self) -> None:
            self.web_app = SimpleNamespace(router=SimpleNamespace(routes=["/docs"]))

        def get_app(self) -> Any:
            return self.web_app

    class Coordinator:
        def __init__(self) -> None:
            self._context_references: dict[str, Any] = {}

        async def get_http_request_async(self, invoc_id: str) -> None: ...

        async def await_http_response_async(self, invoc_id: str) -> None: ...

    class Handler:
        @property
        def closed(self) -> None: ...

    class Client:
        async def post(
            self, path: str, *, cast_to: Any, content: Any, options: Any, stream: Any, stream_cls: Any
        ) -> None: ...

        async def get(self, path: str, *, cast_to: Any, options: Any, stream: Any, stream_cls: Any) -> None: ...

        async def delete(self, path: str, *, cast_to: Any, options: Any) -> None: ...

    names = ("is_eof", "exception", "set_exception", "readany", "feed_data", "feed_eof")
    receiving = ("begin_http_chunk_receiving", "end_http_chunk_receiving")
    slots = ("_buffer", "_eof", "_exception", "_waiter")
    reader = SimpleNamespace(**dict.fromkeys((*names, *receiving), 1), __slots__=slots)
    response = SimpleNamespace(connection=1, content=1, _headers=1, _raw_headers=1, request_info=1)
    errors = dict.fromkeys(("AsyncStream", "APIStatusError", "APITimeoutError", "APIConnectionError"))
    return {
        "azure_functions_runtime": SimpleNamespace(),
        shapes.EXTENSION: SimpleNamespace(WebServer=WebServer, WebApp=WebApp),
        shapes.RUNTIME: SimpleNamespace(http_coordinator=Coordinator()),
        "uvicorn": SimpleNamespace(Config=uvicorn.Config, Server=uvicorn.Server),
        "starlette.convertors": SimpleNamespace(CONVERTOR_TYPES=dict(CONVERTOR_TYPES)),
        "starlette.responses": SimpleNamespace(Response=Response),
        shapes.PROTOCOL: SimpleNamespace(RequestResponseCycle=RequestResponseCycle),
        "gc": SimpleNamespace(disable=1, enable=1, freeze=1),
        "importlib._bootstrap": importlib._bootstrap,
        "openai": SimpleNamespace(AsyncOpenAI=Client, **errors),
        "openai.types": LatePackage("openai.types"),
        "aiohttp": SimpleNamespace(StreamReader=reader, ClientResponse=response),
        "aiohttp.client_proto": SimpleNamespace(ResponseHandler=Handler),
    }


async def with_another_parameter(self: object, invoc_id: str, timeout: float = 1) -> None: ...


def not_async(self: object, invoc_id: str) -> None: ...


def of_another_signature(self: object, connection: object) -> None: ...


class Sending:
    def send(self) -> None: ...


type Change = Callable[[dict[str, Any]], object]
WRONG: list[tuple[str, str, Change]] = [
    ("own server", "it has no WebServer", lambda m: delattr(m[shapes.EXTENSION], "WebServer")),
    ("own server", "its WebServer has no serve", lambda m: delattr(m[shapes.EXTENSION].WebServer, "serve")),
    (
        "own server",
        "its WebServer does not take hostname, port, web_app",
        lambda m: setattr(m[shapes.EXTENSION].WebServer, "__init__", of_another_signature),
    ),
    ("own server", "uvicorn's Server has no serve", lambda m: setattr(m["uvicorn"], "Server", None)),
    ("own server", "uvicorn's Config takes no host", lambda m: setattr(m["uvicorn"], "Config", None)),
    ("own server", "it is not loaded", lambda m: m.pop(shapes.EXTENSION)),
    (
        "bounded waits",
        "no coroutine get_http_request_async(invoc_id)",
        lambda m: setattr(type(m[shapes.RUNTIME].http_coordinator), "get_http_request_async", with_another_parameter),
    ),
    (
        "bounded waits",
        "no coroutine await_http_response_async(invoc_id)",
        lambda m: setattr(type(m[shapes.RUNTIME].http_coordinator), "await_http_response_async", not_async),
    ),
    ("bounded waits", "has no coroutine", lambda m: delattr(m[shapes.RUNTIME], "http_coordinator")),
    ("bounded waits", "it is not loaded", lambda m: m.pop(shapes.RUNTIME)),
    (
        "invocation memory",
        "no dictionary _context_references",
        lambda m: setattr(m[shapes.RUNTIME].http_coordinator, "_context_references", []),
    ),
    ("invocation memory", "it is not loaded", lambda m: m.pop(shapes.RUNTIME)),
    (
        "normalized paths",
        "its path converter is not '.*'",
        lambda m: m["starlette.convertors"].CONVERTOR_TYPES.update(path=SimpleNamespace(regex="[^/]*")),
    ),
    ("closed pages", "it has no WebApp", lambda m: delattr(m[shapes.EXTENSION], "WebApp")),
    (
        "closed pages",
        "its WebApp takes arguments",
        lambda m: setattr(m[shapes.EXTENSION].WebApp, "__init__", of_another_signature),
    ),
    (
        "closed pages",
        "its app has no list of routes",
        lambda m: setattr(m[shapes.EXTENSION].WebApp, "get_app", lambda _: SimpleNamespace(router=())),
    ),
    (
        "detached answers",
        "its Response is not called with scope, receive, send",
        lambda m: setattr(m["starlette.responses"], "Response", SimpleNamespace(__call__=of_another_signature)),
    ),
    ("aborted connections", "no RequestResponseCycle with send", lambda m: m.update({shapes.PROTOCOL: 1})),
    (
        "aborted connections",
        "its RequestResponseCycle takes no transport",
        lambda m: m.update({shapes.PROTOCOL: SimpleNamespace(RequestResponseCycle=Sending)}),
    ),
    ("collector pause", "its gc has no freeze", lambda m: delattr(m["gc"], "freeze")),
    (
        "late openai.types",
        "importlib has no _ModuleLockManager",
        lambda m: m.update({"importlib._bootstrap": SimpleNamespace()}),
    ),
    (
        "late openai.types",
        "openai.types was loaded with openai",
        lambda m: m.update({"openai.types": SimpleNamespace()}),
    ),
    (
        "raw streaming",
        "its post takes no content",
        lambda m: setattr(m["openai"].AsyncOpenAI, "post", m["openai"].AsyncOpenAI.get),
    ),
    ("raw streaming", "it has no AsyncStream", lambda m: delattr(m["openai"], "AsyncStream")),
    (
        "closed connections",
        "its ResponseHandler has no property closed",
        lambda m: delattr(m["aiohttp.client_proto"], "ResponseHandler"),
    ),
    (
        "closed connections",
        "its ResponseHandler has no property closed",
        lambda m: m.pop("aiohttp.client_proto"),
    ),
    (
        "closed connections",
        "its StreamReader has no readany",
        lambda m: delattr(m["aiohttp"].StreamReader, "readany"),
    ),
    (
        "forgotten heads",
        "its ClientResponse has no _raw_headers",
        lambda m: delattr(m["aiohttp"].ClientResponse, "_raw_headers"),
    ),
    (
        "tapped bodies",
        "its StreamReader has no feed_data",
        lambda m: delattr(m["aiohttp"].StreamReader, "feed_data"),
    ),
    (
        "tapped bodies",
        "its StreamReader keeps no _waiter",
        lambda m: setattr(m["aiohttp"].StreamReader, "__slots__", ("_buffer", "_eof", "_exception")),
    ),
]


def installed(
    modules: Mapping[str, Any], patches: tuple[Patch, ...] = PATCHES, *, thread: str = ""
) -> tuple[Installation, Application]:
    """Return an installation whose process has started, on a thread of that name, and its application."""
    application = Application()
    installation = Installation(application, Telemetry(TelemetryTarget()), modules, patches)

    async def start() -> None:
        installation.apply()  # on the worker's loop, as the worker imports the app
        await (installation._warming or installation.warm_up())

    if thread:
        working = threading.Thread(target=lambda: asyncio.run(start()), name=thread)
        working.start()
        working.join()
    else:
        asyncio.run(start())
    return installation, application


def states(application: Application) -> dict[str, str]:
    return dict(one.rsplit(" ", 1) for one in application.summary.split("; "))


@pytest.fixture(autouse=True)
def unfrozen() -> Any:
    yield
    gc.unfreeze()


def test_with_the_shapes_that_are_known_every_row_is_applied_and_one_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    modules = stand_ins()
    coordinator, server = modules[shapes.RUNTIME].http_coordinator, modules[shapes.EXTENSION].WebServer
    waits, serve = coordinator.get_http_request_async, vars(server)["serve"]
    with caplog.at_level(logging.INFO, "shared.hosting"):
        installation, application = installed(modules)
    (record,) = caplog.records
    assert record.getMessage().startswith("Version ")
    assert "Patches: own server on; drain on a signal on; bounded waits on; " in record.getMessage()
    assert "azure-functions-runtime 1." in record.getMessage()
    assert states(application) == dict.fromkeys(NAMES, "on")
    assert coordinator.get_http_request_async != waits
    assert vars(server)["serve"] is not serve
    assert modules[shapes.EXTENSION].WebApp().get_app().router.routes == []
    assert [layer.__name__ for layer in installation._site.layers] == ["NormalizedPaths", "Detaching"]
    assert application.notes == ["load, collector off"]


@pytest.mark.parametrize(("name", "problem", "change"), WRONG, ids=[f"{name}: {problem}" for name, problem, _ in WRONG])
def test_a_wrong_shape_turns_its_row_off_and_one_line_says_what_is_lost(
    name: str, problem: str, change: Change, caplog: pytest.LogCaptureFixture
) -> None:
    modules = stand_ins()
    change(modules)
    row = next(row for row in PATCHES if row.name == name)
    coordinator = getattr(modules.get(shapes.RUNTIME), "http_coordinator", None)
    before = dict(vars(coordinator)) if coordinator is not None else {}
    with caplog.at_level(logging.INFO, "shared.hosting"):
        installation, application = installed(modules)
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    (warning,) = [warning for warning in warnings if row.without in warning]
    assert warning.startswith(f"Unsupported {row.library}: {row.without}; ")
    assert problem in warning
    off = {one for one, state in states(application).items() if state == "off"}
    expected = {name} | {one.name for one in PATCHES if one.needs == name}
    if shapes.EXTENSION not in modules:
        expected |= {"closed pages"}
    assert off >= expected
    assert off <= expected | ({"bounded waits", "invocation memory"} if "runtime" in row.library else set())
    if name == "bounded waits" and coordinator is not None:
        assert dict(vars(coordinator)) == before
    if name == "own server":
        assert installation._site.layers == []
        # Not one for each row that needs it.
        assert len(warnings) == 1 + (shapes.EXTENSION not in modules)


def test_every_row_has_a_wrong_shape_here() -> None:
    assert {name for name, _, _ in WRONG} | {"drain on a signal"} == set(NAMES)


def test_a_probe_that_raises_turns_its_row_off(caplog: pytest.LogCaptureFixture) -> None:
    def raising(_modules: shapes.Modules) -> str:
        raise LookupError("unheard of")

    _, application = installed(stand_ins(), tuple(replace(row, shape=raising) for row in PATCHES))
    assert states(application) == dict.fromkeys(NAMES, "off")
    assert "; LookupError while it was probed" in caplog.text
    assert "unheard of" not in caplog.text


def test_on_a_thread_that_is_not_the_main_one_only_the_drain_is_off() -> None:
    _, application = installed(stand_ins(), thread="embedded")
    assert states(application) == dict.fromkeys(NAMES, "on") | {"drain on a signal": "off"}


def test_what_is_loaded_only_with_valid_settings_is_not_reported_without(caplog: pytest.LogCaptureFixture) -> None:
    modules = stand_ins()
    for name in ("openai", "openai.types", "aiohttp", "aiohttp.client_proto"):
        del modules[name]
    _, application = installed(modules)
    assert states(application).keys() == set(NAMES) - {
        *("late openai.types", "raw streaming", "closed connections", "forgotten heads", "tapped bodies"),
    }
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


REAL = """
import json, sys
import azure_functions_runtime.http_v2, azurefunctions.extensions.http.fastapi
from shared.hosting.late_packages import late
with late("openai.types"):
    import openai
import aiohttp, uvicorn.protocols.http.httptools_impl
from shared.hosting.patches import PATCHES
print(json.dumps({row.name: row.shape(sys.modules) for row in PATCHES}))
"""


@pytest.fixture(scope="module")
def problems() -> dict[str, str]:
    """What each row's probe returns of the libraries that are installed, in a process that imports them as the worker does."""
    done = subprocess.run(
        [sys.executable, "-c", REAL], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_installed_libraries_have_the_shape_that_is_known(problems: dict[str, str], name: str) -> None:
    assert problems[name] == ""


@pytest.mark.parametrize("row", PATCHES, ids=NAMES)
def test_each_row_was_proved_on_the_version_that_is_pinned(row: Patch) -> None:
    if row.library == "python":
        assert row.proved == "3.13"
        return
    pins = "\n".join((ROOT / lock).read_text(encoding="utf-8") for lock in LOCKS)
    pinned = set(re.findall(rf"^{re.escape(row.library)}==([\w.]+)", pins, re.MULTILINE))
    assert pinned == {row.proved}
