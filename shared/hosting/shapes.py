"""What the patches expect of other libraries' insides. Each probe returns what differs, '' where nothing does.

A probe reads `sys.modules` (or, in tests, what stands for it) and imports nothing: what is not loaded is not patched.
"""

import inspect
import threading
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

import uvicorn
from starlette.convertors import CONVERTOR_TYPES
from starlette.responses import Response

from shared.hosting import invocations, late_packages

type Modules = Mapping[str, Any]

EXTENSION = "azurefunctions.extensions.http.fastapi"
RUNTIME = "azure_functions_runtime.http_v2"
PROTOCOL = "uvicorn.protocols.http.httptools_impl"
NOT_LOADED = "it is not loaded"

_SERVER_FIELDS = ("hostname", "port", "web_app")
_CONFIG_PARAMETERS = (
    "host",
    "port",
    "log_config",
    "access_log",
    "lifespan",
    "ws",
    "server_header",
    "proxy_headers",
    "timeout_keep_alive",
)


def own_server(modules: Modules) -> str:
    """Probe the extension's `WebServer(hostname, port, web_app)` with `serve`, and uvicorn's `Config` and `Server`."""
    server = getattr(modules.get(EXTENSION), "WebServer", None)
    uses = modules.get("uvicorn", uvicorn)
    if server is None:
        return "it has no WebServer" if EXTENSION in modules else NOT_LOADED
    if "serve" not in vars(server):
        return "its WebServer has no serve"
    if _parameters(server.__init__)[1:] != list(_SERVER_FIELDS):
        return f"its WebServer does not take {', '.join(_SERVER_FIELDS)}"
    made = server("", 0, SimpleNamespace(get_app=lambda: None))
    return (
        _missing("its WebServer", made, _SERVER_FIELDS)
        or _missing("uvicorn's Server", getattr(uses, "Server", None), ("serve", "shutdown", "handle_exit"))
        or _missing_names("uvicorn's Config takes", _parameters(getattr(uses, "Config", None)), _CONFIG_PARAMETERS)
    )


def framework_pages(modules: Modules) -> str:
    """Probe the extension's `WebApp()`, whose app has a list of routes."""
    app_class = getattr(modules.get(EXTENSION), "WebApp", None)
    if app_class is None:
        return "it has no WebApp" if EXTENSION in modules else NOT_LOADED
    if _parameters(app_class.__init__) != ["self"]:
        return "its WebApp takes arguments"
    router = getattr(app_class().get_app(), "router", None)
    return "" if isinstance(getattr(router, "routes", None), list) else "its app has no list of routes"


def main_thread(_modules: Modules) -> str:
    """Probe for the event loop on the main thread, the only one that uvicorn installs signal handlers on."""
    current = threading.current_thread()
    return "" if current is threading.main_thread() else f"it runs on the thread {current.name!r}, not on the main one"


def bounded_waits(modules: Modules) -> str:
    """Probe the two waits of the runtime's `HttpCoordinator`."""
    return invocations.waits_problem(coordinator_of(modules)) if RUNTIME in modules else NOT_LOADED


def invocation_memory(modules: Modules) -> str:
    """Probe the dictionary in which the runtime's `HttpCoordinator` keeps every invocation."""
    return invocations.memory_problem(coordinator_of(modules)) if RUNTIME in modules else NOT_LOADED


def coordinator_of(modules: Modules) -> Any:
    """Return the runtime's one `HttpCoordinator`, None where it is not loaded or has none."""
    return getattr(modules.get(RUNTIME), "http_coordinator", None)


def path_route(modules: Modules) -> str:
    """Probe the pattern of `{path:path}`, the only route that the extension has."""
    convertors = getattr(modules.get("starlette.convertors"), "CONVERTOR_TYPES", CONVERTOR_TYPES)
    return "" if getattr(convertors.get("path"), "regex", None) == ".*" else "its path converter is not '.*'"


def response_call(modules: Modules) -> str:
    """Probe for a response that the framework calls as an ASGI app."""
    response = getattr(modules.get("starlette.responses"), "Response", Response)
    expected = ["self", "scope", "receive", "send"]
    return "" if _parameters(response.__call__) == expected else "its Response is not called with scope, receive, send"


def response_cycle(modules: Modules) -> str:
    """Probe for a `send` that belongs to an object with a `transport` (hosting/abort.py, `abort_connection`)."""
    if PROTOCOL not in modules:
        return NOT_LOADED
    cycle = getattr(modules[PROTOCOL], "RequestResponseCycle", None)
    if not callable(getattr(cycle, "send", None)):
        return "it has no RequestResponseCycle with send"
    return _missing_names("its RequestResponseCycle takes", _parameters(cycle), ("transport",))


def collector(modules: Modules) -> str:
    """Probe for CPython's `gc.freeze`."""
    return _missing("its gc", modules.get("gc"), ("disable", "enable", "freeze"))


def openai_types(modules: Modules) -> str:
    """Probe importlib's lock per module, and an openai that leaves `openai.types` alone while it is imported."""
    if problem := late_packages.problem(modules.get("importlib._bootstrap")):
        return problem
    if "openai" not in modules:
        return NOT_LOADED
    is_late = isinstance(modules.get("openai.types"), late_packages.LatePackage)
    return "" if is_late else "openai.types was loaded with openai"


def closed_connection(modules: Modules) -> str:
    """Probe aiohttp's `ResponseHandler.closed`, and the reader's `set_exception` (upstream/transport.py, `ResponseBody`)."""
    if "aiohttp" not in modules:
        return NOT_LOADED
    aiohttp, handler = modules["aiohttp"], getattr(modules.get("aiohttp.client_proto"), "ResponseHandler", None)
    if not isinstance(getattr(handler, "closed", None), property):
        return "its ResponseHandler has no property closed"
    return _missing(
        "its StreamReader", getattr(aiohttp, "StreamReader", None), ("is_eof", "exception", "set_exception", "readany")
    ) or _missing("its ClientResponse", getattr(aiohttp, "ClientResponse", None), ("connection", "content"))


def raw_streaming(modules: Modules) -> str:
    """Probe openai's `cast_to` and `stream_cls` (upstream/client.py, `open`)."""
    if "openai" not in modules:
        return NOT_LOADED
    client = getattr(modules["openai"], "AsyncOpenAI", None)
    expected: dict[str, tuple[str, ...]] = {"post": ("cast_to", "content", "options", "stream", "stream_cls")}
    expected |= {"get": ("cast_to", "options", "stream", "stream_cls"), "delete": ("cast_to", "options")}
    for name, parameters in expected.items():
        if problem := _missing_names(f"its {name} takes", _parameters(getattr(client, name, None)), parameters):
            return problem
    return _missing("it", modules["openai"], ("AsyncStream", "APIStatusError", "APITimeoutError", "APIConnectionError"))


def client_response(modules: Modules) -> str:
    """Probe what aiohttp's `ClientResponse` keeps of both heads (upstream/connections.py, `forget_heads`)."""
    if "aiohttp" not in modules:
        return NOT_LOADED
    response = getattr(modules["aiohttp"], "ClientResponse", None)
    return _missing("its ClientResponse", response, ("_headers", "_raw_headers", "request_info"))


def _parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters) if callable(function) else []


def _missing(what: str, owner: Any, names: Iterable[str]) -> str:
    missing = [name for name in names if not hasattr(owner, name)]
    return f"{what} has no {', no '.join(missing)}" if missing else ""


def _missing_names(what: str, found: Iterable[str], names: Iterable[str]) -> str:
    missing = [name for name in names if name not in found]
    return f"{what} no {', no '.join(missing)}" if missing else ""


def tapped_reader(modules: Modules) -> str:
    """Probe what aiohttp's parser calls of its reader, and what the reader keeps (upstream/tap.py)."""
    if "aiohttp" not in modules:
        return NOT_LOADED
    reader = getattr(modules["aiohttp"], "StreamReader", None)
    called = ("feed_data", "feed_eof", "set_exception", "begin_http_chunk_receiving", "end_http_chunk_receiving")
    if problem := _missing("its StreamReader", reader, called):
        return problem
    slots = getattr(reader, "__slots__", ())
    return _missing_names("its StreamReader keeps", slots, ("_buffer", "_eof", "_exception", "_waiter"))
