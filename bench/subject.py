"""A subject: a server between the load client and the model service, and its request format."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.connection import BadAnswer, Connection, Connections, Outcome, Recorder
from bench.service import ServiceProcess
from bench.worker import WORKER_SCRIPT, Worker

MODEL = "gpt-5.4-mini"
_MESSAGES = [
    {"role": "system", "content": "You are a helpful assistant. Answer briefly, and say so when you do not know."},
    {"role": "user", "content": "Which three things should somebody know who puts a language model behind a web page?"},
]
OPENAI_BODY = {"model": MODEL, "messages": _MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
CHAT_BODY = {"messages": _MESSAGES}
_HEADERS = {
    "accept": "*/*",
    "accept-encoding": "gzip, deflate",
    "accept-language": "en",
    "content-type": "application/json",
    "max-forwards": "10",
    "user-agent": "bench/1",
    "x-forwarded-for": "192.0.2.7:50000",
    "x-forwarded-host": "bench.example",
    "x-forwarded-proto": "https",
    "x-original-url": "/",
}


class Subject(ABC):
    """A subject: started once, then sent any number of requests."""

    streams = True
    """Whether it relays the model service's chunks."""
    has_telemetry = False
    """Whether every answer leaves a trace, and metrics, at the model service, which takes them without reading them."""
    has_worker = False
    """Whether it runs on the Functions worker."""

    def __init__(self, name: str, title: str, *, path: str, body: Mapping[str, object]) -> None:
        self.name = name
        self.title = title
        self.path = path
        self.is_buffered = False
        """Whether its answer comes in one piece, without delays per chunk."""
        self._body = json.dumps(body).encode()
        self._connections = Connections(0)
        self._head = b""

    @property
    @abstractmethod
    def pids(self) -> Sequence[int]:
        """The IDs of the measured processes."""

    @abstractmethod
    async def start(self, service: ServiceProcess) -> None:
        """Start the server and wait until it accepts requests."""

    @abstractmethod
    def stop(self) -> None:
        """Stop what `start` started."""

    def message(self) -> bytes:
        """Return the next request, as bytes."""
        return self._head + b"\r\n" + self._body

    async def ask(self, recorder: Recorder | None = None) -> tuple[Connection, Outcome, asyncio.Future[None]]:
        """Send a request without waiting for the answer."""
        connection = await self._connections.take()
        outcome, done = connection.start(self.message(), recorder)
        return connection, outcome, done

    async def answer(self, *, marks: int = 1) -> Outcome:
        """Get one complete answer. Raise `BadAnswer` unless every chunk arrived."""
        _, outcome, done = await self.ask()
        await done
        self.check(outcome, marks=marks)
        return outcome

    def check(self, outcome: Outcome, *, marks: int) -> None:
        """Raise `BadAnswer` unless the answer is complete."""
        if outcome.status != 200 or outcome.marks != marks or not outcome.is_complete:
            raise BadAnswer(f"{self.name}: expected {marks} chunks, got {outcome}\n{self.log}")

    @property
    def log(self) -> str:
        """Return its error output."""
        return ""

    def _reach(self, port: int, **headers: str) -> None:
        self._connections = Connections(port)
        sized = {"host": f"127.0.0.1:{port}", "content-length": str(len(self._body))}
        lines = [f"{name}: {value}" for name, value in (_HEADERS | sized | headers).items()]
        self._head = "\r\n".join([f"POST {self.path} HTTP/1.1", *lines, ""]).encode()


class Direct(Subject):
    """No server: the row of the harness itself."""

    def __init__(self) -> None:
        super().__init__("direct", "direct, no server", path="/openai/v1/chat/completions", body=OPENAI_BODY)
        self._pid = 0

    @property
    def pids(self) -> Sequence[int]:
        return [self._pid]

    async def start(self, service: ServiceProcess) -> None:
        self._pid = service.pid
        self._reach(service.port)

    def stop(self) -> None:
        self._connections.close()


class FunctionApp(Subject):
    """A function app on the Functions worker."""

    has_worker = True

    def __init__(
        self,
        name: str,
        title: str,
        *,
        app: Path,
        path: str,
        body: Mapping[str, object],
        is_keyless: bool = False,
        is_buffered: bool = False,
        streams: bool = True,
    ) -> None:
        super().__init__(name, title, path=path, body=body)
        self.is_buffered = is_buffered
        self.streams = streams
        self.app = app
        """Its folder."""
        self._environment: Mapping[str, str] = {}
        self._is_keyless = is_keyless
        self._worker = Worker()
        self._about: dict[str, object] = {}
        self.script = WORKER_SCRIPT

    @property
    def pids(self) -> Sequence[int]:
        return [self._worker.pid]

    @property
    def worker(self) -> Worker:
        """Its process."""
        return self._worker

    @property
    def log(self) -> str:
        return "\n".join(self._worker.log)

    def deploy(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start from this folder, with these variables, instead of from the project."""
        self.app, self._environment = folder, environment

    async def start(self, service: ServiceProcess) -> None:
        self._worker = await Worker.start(self.app, self._settings(service) | dict(self._environment), self.script)
        # Like the host: the members of the request's JSON are also sent as trigger metadata, which is not read.
        members = {name: {"json": json.dumps(value)} for name, value in json.loads(self._body).items()}
        own = {"Query": {"json": "{}"}, "Headers": {"json": json.dumps(_HEADERS)}}
        self._about = {"trigger_metadata": members | own, "trace_parent": "", "trace_state": ""}
        self._reach(self._worker.port)

    def stop(self) -> None:
        self._connections.close()
        self._worker.kill()

    def message(self) -> bytes:
        invocation_id = self._worker.invoke("POST", self.path.partition("?")[0], self._about)
        return self._head + b"x-ms-invocation-id: %b\r\n\r\n" % invocation_id.encode() + self._body

    def _settings(self, service: ServiceProcess) -> dict[str, str]:
        common = {"AZURE_OPENAI_ENDPOINT": service.url, "AZURE_OPENAI_DEPLOYMENT": MODEL}
        if self.has_telemetry:
            common["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"{service.url}/otlp"
        if self._is_keyless:
            identity = {"IDENTITY_ENDPOINT": f"{service.url}/identity", "IDENTITY_HEADER": "bench"}
            return common | identity
        return common | {"AZURE_OPENAI_API_KEY": "b" * 32}
