"""Run the app without Core Tools: `python -m dev.host` stands in for `func start`. A development tool, never deployed.

It starts a worker process on Microsoft's published worker library, `azure-functions-runtime`, and proxies HTTP to it as the
Functions host does. What that host does was measured on host 4.1037, compiled from its source, without Azure's front end.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

OLDEST_PYTHON = (3, 13)
LAST_PORT = 65535
DEFAULT_GRACE_SECONDS = 30.0
DEFAULT_IDLE_SECONDS = 240.0


def main() -> int:
    """Return the exit status: 0 after a signal, 1 or 2 when it could not run or could not go on."""
    arguments = _parser().parse_args()
    if sys.version_info < OLDEST_PYTHON:
        print("Python 3.13 is needed: it is what the app runs on in Azure", file=sys.stderr)
        return 1
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return 0


def _run(arguments: argparse.Namespace) -> int:
    try:
        import uvloop

        from dev.functions_host import keys, log_lines, settings
        from dev.functions_host.failure import HostFailure
        from dev.functions_host.server import HostOptions, Server
    except ModuleNotFoundError as error:
        print(f"The package {error.name} is missing: pip install -r dev/requirements-run.txt", file=sys.stderr)
        return 1
    try:
        read = settings.read(arguments.app.resolve(), arguments.settings, os.environ, arguments.set)
        options = HostOptions(
            bind=arguments.bind,
            port=read.port if arguments.port is None else arguments.port,
            key=keys.generated() if arguments.keys == "" else arguments.keys,
            python=arguments.python,
            grace_seconds=arguments.grace,
            idle_seconds=arguments.idle,
            http_delay_seconds=arguments.http_delay,
            quiet=arguments.quiet,
            verbose=arguments.verbose,
            forks=arguments.forks,
        )
        for note in read.notes:
            log_lines.info(note)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(Server(options, read).run())
    except HostFailure as failure:
        log_lines.error(str(failure))
        return failure.status
    return 0


def _port(text: str) -> int:
    if not (text.isdigit() and int(text) <= LAST_PORT):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.host", description=__doc__)
    add = parser.add_argument
    add("--port", type=_port, help="default: LocalHttpPort of the settings file, else 7071; 0 picks a free one")
    add("--bind", default="127.0.0.1", help="the address to listen on")
    add("--app", type=Path, default=Path(), help="the app's folder; default: the current one")
    add("--settings", type=Path, help="default: local.settings.json, else its example, in the app's folder")
    add(
        "--keys",
        nargs="?",
        const="",
        metavar="KEY",
        help="require a key where the app does; without KEY one is made",
    )
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that wins over all others")
    add("--python", default=sys.executable, metavar="EXE", help="the worker's Python")
    add(
        "--grace",
        type=float,
        default=DEFAULT_GRACE_SECONDS,
        metavar="S",
        help="seconds for open streams on Ctrl-C, or when SIGUSR1 drains; default: 30",
    )
    add(
        "--idle",
        type=float,
        default=DEFAULT_IDLE_SECONDS,
        metavar="S",
        help="seconds without a byte that end a request; default: 240",
    )
    add(
        "--http-delay",
        type=float,
        metavar="S",
        help="for tests: send each invocation before its HTTP request, and that so many seconds later",
    )
    add("--forks", metavar="SOCKET", help="for tests: have the worker forked by the process there (dev/fork_server.py)")
    add("--quiet", action="store_true", help="no example call after the start")
    add("--verbose", action="store_true", help="every log record of the worker, also those that func does not show")
    return parser


if __name__ == "__main__":
    sys.exit(main())
