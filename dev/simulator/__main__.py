"""`python -m dev.simulator`: run a simulated Azure OpenAI on this machine until it is stopped."""

import argparse
import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass

import msgspec
import uvloop

from dev.simulator.backend import Backend
from dev.simulator.behaviour import Behaviour
from dev.simulator.identity import PATH, Identity
from dev.simulator.models import Deployments
from dev.simulator.records import Log
from dev.simulator.search.service import SearchService
from dev.simulator.service import Doors, Service
from dev.simulator.steering import Steering

PORT = 7072
INTERVAL_SECONDS = 0.035
EXAMPLE = '{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"Hello"}]}'


@dataclass(frozen=True, slots=True)
class Ready:
    """The addresses and keys of the running simulator; printed as one line of JSON."""

    backends: dict[str, str]
    control: str
    identity_endpoint: str
    identity_header: str
    search: str

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()

    def friendly(self, doors: Doors) -> str:
        first = next(iter(self.backends.values()))
        lines = ["A simulated Azure OpenAI is listening. Nothing here is real, and nothing costs anything.", ""]
        lines += [f"  {name:<10} {address}" for name, address in self.backends.items()]
        lines += [f"  {'search':<10} {self.search}"]
        lines += [f"  {'control':<10} {self.control}", f"  {'identity':<10} {self.identity_endpoint}", ""]
        if doors.open:
            lines += ["Try it:", f"  curl -N {first}/openai/v1/chat/completions -d '{EXAMPLE}'"]
        else:
            lines += ["It accepts tokens of its own identity endpoint:"]
            lines += [f"  IDENTITY_ENDPOINT={self.identity_endpoint}", f"  IDENTITY_HEADER={self.identity_header}"]
        return "\n".join([*lines, ""])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="of the first backend; 0 takes a free one (%(default)s)")
    parser.add_argument("--control-port", type=int, default=0, help="of the control API and the identity endpoint")
    parser.add_argument("--backends", default="main", help="names, separated by commas (%(default)s)")
    parser.add_argument("--deployments", help="names, separated by commas; without it, all but missing…")
    parser.add_argument("--open", action="store_true", help="accept any credential, and none")
    parser.add_argument("--key", help="accept this key too, as api-key or Bearer")
    parser.add_argument("--interval", type=float, default=INTERVAL_SECONDS, help="seconds a piece (%(default)s)")
    parser.add_argument("--human", action="store_true", help="say where it listens in words instead of JSON")
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input ends")
    parser.add_argument("--behaviours", action="store_true", help="print the JSON Schema of a behaviour, and end")
    return parser.parse_args()


async def serve(options: argparse.Namespace) -> None:
    names = tuple(options.deployments.split(",")) if options.deployments else None
    doors = Doors(open=options.open, key=options.key, interval=options.interval, deployments=Deployments(names))
    identity, log = Identity(), Log()
    services: dict[str, tuple[Service, Backend]] = {}
    for number, name in enumerate(filter(None, options.backends.split(","))):
        service = Service(name, doors, identity, log)
        services[name] = (service, Backend(name, service.answer))
        await services[name][1].listen(options.port if number == 0 else 0)
    search = SearchService(identity, log, lambda: finder.address, is_open=options.open)
    finder = Backend("search", search.answer)
    await finder.listen(0)
    control = Backend("control", Steering(services, identity, log, search, finder).answer)
    await control.listen(options.control_port)
    backends = {name: backend.address for name, (_, backend) in services.items()}
    ready = Ready(backends, control.address, f"{control.address}{PATH}", identity.header, finder.address)
    print(ready.friendly(doors) if options.human else ready, flush=True)
    await told_to_stop(watch_stdin=options.stop_with_stdin)


async def told_to_stop(*, watch_stdin: bool) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if watch_stdin:
        loop.add_reader(sys.stdin.fileno(), lambda: stop.set() if not os.read(sys.stdin.fileno(), 1024) else None)
    await stop.wait()


def main() -> None:
    options = arguments()
    if options.behaviours:
        print(json.dumps(msgspec.json.schema(Behaviour), indent=2))
        return
    try:
        uvloop.run(serve(options))
    except OSError as error:
        sys.exit(f"The simulator cannot listen: {error}")


if __name__ == "__main__":
    main()
