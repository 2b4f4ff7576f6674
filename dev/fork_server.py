"""A process that has imported the libraries and forks hosts, workers and simulators, for tests, which start many of them.

Importing takes most of a start. Where a start itself is the matter, or the libraries come from another place, tests start the
process that a user starts. It needs Linux; tests elsewhere do without.

A request is one message over a Unix socket (`ask`): a line of JSON, with its standard input, output and error and what else the
child inherits as descriptors beside it. The answer is a line with the child's process id, and, when the child has ended,
one with its exit status, negative for a signal as in `subprocess`.

    python -m dev.fork_server ADDRESS                       listen at a path, until standard input ends
    python dev/fork_server.py ADDRESS TARGET ARGUMENT ...   stand for a child of the server there
"""

import atexit
import contextlib
import dataclasses
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

type Target = Callable[[list[str], list[int]], int | None]
"""What a child does with its arguments and the descriptors after the standard ones; it returns its exit status."""
# Parts of the interpreter's end that have no public name.
_threading: Any = threading
_atexit: Any = atexit
PROJECT = str(Path(__file__).resolve().parents[1])
MAX_DESCRIPTORS = 8
BACKLOG = 64
LIBRARIES = (
    "uvloop",
    "dev.host",
    "dev.functions_host.server",
    "dev.worker",
    "dev.functions_worker.process",
    "dev.simulator.__main__",
    "azure.functions",
    "azurefunctions.extensions.http.fastapi",
    "azure.core.credentials_async",
    "azure.core.pipeline.policies",
    "requests",
    "aiohttp",
    "httpx2",
    "msgspec",
    "shared.service",
    "shared.upstream.transport",
)
"""What host, worker, simulator and app import, but for `function_app`, and for what the app imports a part of."""


@dataclass(frozen=True, slots=True)
class Birth:
    """What a child is to be: `target` names one of the server's; `session` makes it the leader of a session of its own."""

    target: str
    arguments: list[str]
    environment: dict[str, str]
    directory: str
    session: bool = False


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that runs, and the connection over which it was asked for."""

    pid: int
    connection: socket.socket


def ask(address: str, birth: Birth, descriptors: list[int]) -> tuple[int, socket.socket]:
    """Return the process id of a new child, and the connection that will say how it ended.

    `descriptors` are its standard input, output and error, and what its target takes besides. Raise OSError where nothing
    listens at `address`.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(address)
        line = json.dumps(dataclasses.asdict(birth)).encode() + b"\n"
        # The descriptors travel with the first byte.
        socket.send_fds(connection, [line[:1]], descriptors)
        connection.sendall(line[1:])
        return int(read_line(connection)), connection
    except BaseException:
        connection.close()
        raise


def read_line(connection: socket.socket) -> bytes:
    """Return the next line, without what follows it. Raise EOFError where the connection ends before."""
    line = b""
    while not line.endswith(b"\n"):
        if not (byte := connection.recv(1)):
            raise EOFError("the fork server has ended")
        line += byte
    return line


def run(address: str, targets: Mapping[str, Target], before_fork: Callable[[], None] | None = None) -> int | None:
    """Listen at `address`, a path, until standard input ends. Return the exit status of whichever process gets so far."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(BACKLOG)
        print("ready", flush=True)
        child = _serve(listener, before_fork)
    if child is None:
        return None
    try:
        status = _live(*child, targets)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        status = end.code
    _leave(status or 0)


def _serve(listener: socket.socket, before_fork: Callable[[], None] | None) -> tuple[Birth, list[int]] | None:
    """Fork as asked until standard input ends, then return None. In a child return what it is to be, and its descriptors."""
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
    while True:
        for key, _events in selector.select():
            if key.fileobj is listener:
                connection, _address = listener.accept()
                if before_fork:
                    before_fork()
                if (child := _fork(selector, connection)) is not None:
                    return child
            elif isinstance(key.data, _Child):
                selector.unregister(key.fileobj)
                os.close(key.fd)
                _report(key.data)
            else:
                return None


def _fork(selector: selectors.BaseSelector, connection: socket.socket) -> tuple[Birth, list[int]] | None:
    birth, descriptors = _receive(connection)
    if birth is None:
        connection.close()
        return None
    waits, goes = os.pipe()  # the child begins once whoever asked knows of it
    if (pid := os.fork()) == 0:
        os.close(goes)
        is_known = os.read(waits, 1)
        os.close(waits)
        if not is_known:
            os._exit(0)
        for key in list(selector.get_map().values()):
            if isinstance(key.data, _Child):
                os.close(key.fd)
                key.data.connection.close()
        selector.close()
        connection.close()
        return birth, descriptors
    for descriptor in descriptors:
        os.close(descriptor)
    os.close(waits)
    with contextlib.suppress(OSError):  # whoever asked may have gone
        connection.sendall(b"%d\n" % pid)
        os.write(goes, b"1")
    os.close(goes)
    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, _Child(pid, connection))
    return None


def _receive(connection: socket.socket) -> tuple[Birth | None, list[int]]:
    """Return what is asked for and its descriptors; None and no descriptors where whoever asked has gone."""
    descriptors: list[int] = []
    with contextlib.suppress(OSError):
        first, descriptors, _flags, _address = socket.recv_fds(connection, 1, MAX_DESCRIPTORS)
        with connection.makefile("rb") as reader:
            line = first + reader.readline()
        if line.endswith(b"\n"):
            return Birth(**json.loads(line)), descriptors
    for descriptor in descriptors:
        os.close(descriptor)
    return None, []


def _report(child: _Child) -> None:
    _pid, status = os.waitpid(child.pid, 0)
    with child.connection, contextlib.suppress(OSError):
        child.connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _live(birth: Birth, descriptors: list[int], targets: Mapping[str, Target]) -> int | None:
    """Become what was asked for, as if started with its command line. Return its exit status, as for `sys.exit`."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if birth.session:
        os.setsid()
    for source, standard in zip(descriptors[:3], (0, 1, 2), strict=True):
        os.dup2(source, standard)
        os.close(source)
    os.environ.clear()
    os.environ.update(birth.environment)
    time.tzset()
    os.chdir(birth.directory)
    return targets[birth.target](birth.arguments, descriptors[3:])


def stand_for(address: str, target: str, arguments: list[str]) -> int:
    """Have a child with the standard streams, the environment and the directory of this process. Return its exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    birth = Birth(target, arguments, dict(os.environ), str(Path.cwd()))
    _pid, connection = ask(address, birth, [0, 1, 2])
    for standard in (0, 1, 2):
        os.close(standard)
    return int(read_line(connection))


def _leave(status: int) -> NoReturn:
    """End a child, but for taking apart what it has from the server: it would need a copy of every page of that first."""
    _threading._shutdown()
    _atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


def _host(arguments: list[str], _descriptors: list[int]) -> int | None:
    sys.argv[:] = ["dev.host", *arguments]
    import dev.host

    return dev.host.main()


def _worker(arguments: list[str], descriptors: list[int]) -> int | None:
    sys.argv[:] = ["dev/worker.py", *arguments]
    sys.path[:] = [one for one in sys.path if one != PROJECT]
    if arguments != [PROJECT]:  # another app, which may have a package `shared`
        for name in [one for one in sys.modules if one.partition(".")[0] in ("shared", "openai")]:
            del sys.modules[name]
    import dev.worker

    dev.worker.main(descriptors[0], *arguments)
    return 0


def _simulator(arguments: list[str], _descriptors: list[int]) -> int | None:
    sys.argv[:] = ["dev.simulator", *arguments]
    from dev.simulator.__main__ import main

    main()
    return 0


def _import_libraries() -> None:
    """Import them before the first child is forked; leave them out of its garbage collections."""
    if gc.get_freeze_count() == 0:
        for name in LIBRARIES:
            importlib.import_module(name)
        from shared.hosting.late_packages import late
        from shared.upstream.identity import load_managed_identity

        with late("openai.types"):
            importlib.import_module("openai")
        load_managed_identity()
        gc.collect()
        gc.freeze()


TARGETS: dict[str, Target] = {"host": _host, "worker": _worker, "simulator": _simulator}


def main(address: str, target: str | None = None, *arguments: str) -> int | None:
    """Serve, or stand for a child. Return the exit status."""
    return run(address, TARGETS, _import_libraries) if target is None else stand_for(address, target, [*arguments])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
