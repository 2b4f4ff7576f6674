"""Every change to somebody else's library, one row each: everything that an upgrade of the platform can break.

A row's `shape` is probed before it is applied. Where it differs the row is off, `without` holds, and one log line reports it.
Where `apply` is None the code is elsewhere, works without the row's gain by itself, and is only probed here.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from shared.hosting import shapes
from shared.hosting.collector import gc_paused
from shared.hosting.detach import Detaching
from shared.hosting.invocations import MEMORY, bound_waits
from shared.hosting.server import Layer, Lifecycle, NormalizedPaths, close_pages, install_server
from shared.hosting.shapes import Modules


@dataclass(slots=True)
class Site:
    """What the rows are applied to."""

    modules: Modules
    """The loaded modules by name: `sys.modules`."""
    lifecycle: Lifecycle
    layers: list[Layer] = field(default_factory=list)
    """Around the framework's app, the innermost first."""
    pause: Callable[[], AbstractContextManager[None]] = nullcontext
    """What slow imports are done within."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One change. `shape` returns how the library differs from what is expected, '' where it does not."""

    name: str
    library: str
    """The distribution (`python` for Python itself) whose version is logged."""
    proved: str
    """The version that it was last tested with."""
    shape: Callable[[Modules], str]
    apply: Callable[[Site], None] | None = None
    without: str
    """What holds while it is off."""
    needs: str = ""
    """The row without which it has no effect."""
    is_late: bool = False
    """Probed when the server has started and the client's libraries are loaded, not at import."""
    subject: str = ""
    """What the log calls unsupported, where that is not the library."""


def _install_server(site: Site) -> None:
    install_server(site.modules[shapes.EXTENSION].WebServer, site.lifecycle, site.layers)


def _close_pages(site: Site) -> None:
    close_pages(site.modules[shapes.EXTENSION].WebApp)


def _bound_waits(site: Site) -> None:
    bound_waits(shapes.coordinator_of(site.modules))


def _release_memory(site: Site) -> None:
    MEMORY.references = shapes.coordinator_of(site.modules)._context_references


def _normalize_paths(site: Site) -> None:
    site.layers.append(NormalizedPaths)


def _detach_answers(site: Site) -> None:
    site.layers.append(Detaching)


def _pause_collector(site: Site) -> None:
    site.pause = gc_paused


OWN_SERVER = "own server"

PATCHES: tuple[Patch, ...] = (
    Patch(
        name=OWN_SERVER,
        library="azurefunctions-extensions-http-fastapi",
        proved="1.0.1",
        shape=shapes.own_server,
        apply=_install_server,
        without="using its own server (5 s keep-alive, no drain)",
    ),
    Patch(
        name="drain on a signal",
        library="uvicorn",
        proved="0.54.0",
        shape=shapes.main_thread,
        without="cannot drain on a signal; open streams are cut when the process is stopped",
        needs=OWN_SERVER,
        is_late=True,
        subject="event loop",
    ),
    Patch(
        name="bounded waits",
        library="azure-functions-runtime",
        proved="1.3.0",
        shape=shapes.bounded_waits,
        apply=_bound_waits,
        without="an invocation whose HTTP request never arrives waits until functionTimeout, when the host kills the worker",
    ),
    Patch(
        name="invocation memory",
        library="azure-functions-runtime",
        proved="1.3.0",
        shape=shapes.invocation_memory,
        apply=_release_memory,
        without="its per-request leak (about 2 KB) could not be patched",
    ),
    Patch(
        name="normalized paths",
        library="starlette",
        proved="1.10.0",
        shape=shapes.path_route,
        apply=_normalize_paths,
        without="an invocation for a path with a line feed may wait until functionTimeout",
        needs=OWN_SERVER,
    ),
    Patch(
        name="closed pages",
        library="fastapi",
        proved="0.165.0",
        shape=shapes.framework_pages,
        apply=_close_pages,
        without="an invocation for /docs, /redoc or /openapi.json waits for its request in vain",
    ),
    Patch(
        name="detached answers",
        library="fastapi",
        proved="0.165.0",
        shape=shapes.response_call,
        apply=_detach_answers,
        without="each open stream holds the framework's layers (several kilobytes)",
        needs=OWN_SERVER,
    ),
    Patch(
        name="aborted connections",
        library="uvicorn",
        proved="0.54.0",
        shape=shapes.response_cycle,
        without="a client that does not read keeps its connection, and a stopping process",
        is_late=True,
    ),
    Patch(
        name="collector pause",
        library="python",
        proved="3.13",
        shape=shapes.collector,
        apply=_pause_collector,
        without="full garbage collections (about 40 ms) delay every stream",
    ),
    Patch(
        name="late openai.types",
        library="openai",
        proved="3.52.0",
        shape=shapes.openai_types,
        without="the first answer waits for the import of all of openai.types",
        is_late=True,
    ),
    Patch(
        name="raw streaming",
        library="openai",
        proved="3.52.0",
        shape=shapes.raw_streaming,
        without="calls to the model may fail",
        is_late=True,
    ),
    Patch(
        name="closed connections",
        library="aiohttp",
        proved="3.14.5",
        shape=shapes.closed_connection,
        without="a stream whose connection breaks may wait until UPSTREAM_SILENCE_SECONDS",
        is_late=True,
    ),
    Patch(
        name="forgotten heads",
        library="aiohttp",
        proved="3.14.5",
        shape=shapes.client_response,
        without="each open stream holds the heads of its call (several kilobytes)",
        is_late=True,
    ),
    Patch(
        name="tapped bodies",
        library="aiohttp",
        proved="3.14.5",
        shape=shapes.tapped_reader,
        without="a task is woken for each chunk of an answer, which costs about a fifth more",
        is_late=True,
    ),
)
"""Layers in the order in which they are put around the framework's app: detached answers are the outermost."""
