"""Control of a simulator from tests: start the process, set behaviours, read records, stop it. Synchronous.

with Simulator.start(backends=("main", "second")) as simulator:
    simulator.behave(main={"status": 429}, second={"tokens": 3, "interval": 0})
    …
    simulator.wait_for(contains="Hello", ended="client_gone")
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

from dev.forked_process import ADDRESS, ForkedProcess, Process

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 5.0
ANSWER_SECONDS = 30.0

Json = dict[str, Any]


class ControlError(RuntimeError):
    """The control API rejected a request, usually because of an invalid behaviour."""


class NothingHappenedError(TimeoutError):
    """The expected record did not arrive in time."""


class Simulator:
    def __init__(self, ready: Json, process: Process | None = None) -> None:
        self.backends: dict[str, str] = ready["backends"]
        """Backend URLs by name, without a path: append `/openai/v1/`."""
        self.control: str = ready["control"]
        self.identity_endpoint: str = ready["identity_endpoint"]
        self.identity_header: str = ready["identity_header"]
        self.search: str = ready["search"]
        self._process = process

    @classmethod
    def start(
        cls,
        *,
        backends: tuple[str, ...] = ("main",),
        port: int = 0,
        open: bool = False,  # noqa: A002 - named after the flag that it sets
        key: str | None = None,
        interval: float = 0.0,
        deployments: tuple[str, ...] | None = None,
    ) -> Self:
        """Start a simulator on free ports and wait until it listens. It ends with this process at the latest."""
        arguments = ["--stop-with-stdin", "--port", str(port)]
        arguments += ["--backends", ",".join(backends), "--interval", str(interval)]
        arguments += ["--open"] if open else []
        arguments += ["--key", key] if key is not None else []
        arguments += ["--deployments", ",".join(deployments)] if deployments is not None else []
        process = _start(arguments)
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"the simulator ended with status {process.wait()} before it listened")
        return cls(json.loads(line), process)

    @property
    def identity_environment(self) -> dict[str, str]:
        """Return the environment variables that App Service sets for a managed identity."""
        return {"IDENTITY_ENDPOINT": self.identity_endpoint, "IDENTITY_HEADER": self.identity_header}

    def base_url(self, backend: str = "main", *, plain: bool = False) -> str:
        """Return a URL for `OpenAI(base_url=…)`: of Azure's current surface, or of the plain OpenAI surface."""
        return f"{self.backends[backend]}{'/v1/' if plain else '/openai/v1/'}"

    def token(self, resource: str = "https://cognitiveservices.azure.com") -> str:
        """Request a token from the identity endpoint. The request is recorded like any other."""
        query = urlencode({"resource": resource, "api-version": "2019-08-01"})
        address = urlsplit(self.identity_endpoint)
        headers = {"X-IDENTITY-HEADER": self.identity_header}
        return str(self._ask("GET", f"{address.path}?{query}", headers=headers)["access_token"])

    # Behaviours.

    def behave(self, *every: Json, **by_backend: Json | list[Json]) -> None:
        """Replace the queues: positional behaviours apply to every backend, keywords (one or a list) to the named backend."""
        wanted: dict[str, Any] = {"*": list(every)} if every else {}
        self._ask("PUT", "/behaviours", wanted | by_backend)

    def behaviours(self) -> dict[str, list[Json]]:
        """Return the behaviours still queued."""
        return dict(self._ask("GET", "/behaviours"))

    def set_accounts(self, *every: Json, **by_backend: Json) -> None:
        """Makes accounts anew: a positional one for every backend, or one by the backend's name (see `account.Account`)."""
        wanted = {"*": every[0]} if every else {}
        self._ask("PUT", "/accounts", wanted | by_backend)

    def accounts(self) -> dict[str, Json]:
        return dict(self._ask("GET", "/accounts"))

    def behave_search(self, *habits: Json) -> None:
        """Replace the bad habits of the next searches (see `search.service.SearchBehaviour`)."""
        self._ask("PUT", "/search", list(habits))

    def close_search(self) -> None:
        """Refuse connections to the search until `behave_search` or `reset`."""
        self._ask("PUT", "/search/closed")

    @property
    def search_environment(self) -> dict[str, Any]:
        """Return the settings of an app that searches this project's documentation here."""
        return {"RETRIEVAL": "on", "SEARCH_ENDPOINT": self.search, "SEARCH_INDEX": "docs"}

    def behave_identity(self, **behaviour: Any) -> None:
        self._ask("PUT", "/identity", behaviour)

    def revoke_tokens(self) -> None:
        self._ask("POST", "/identity/revoke")

    def reset(self) -> None:
        self._ask("POST", "/reset")

    # Records.

    def requests(self, **query: str) -> list[Json]:
        """Return the records, oldest first. Filters: contains, backend, ended, method, path."""
        return list(self._ask("GET", f"/requests?{urlencode(query)}"))

    def wait_for(self, *, timeout: float = 5.0, count: int = 1, **query: str) -> Json:
        """Wait for at least `count` matching records, and return the newest."""
        return self._wait("/requests/wait", query, timeout, count)

    def running_responses(self) -> int:
        """How many responses go on in the background."""
        return int(self._ask("GET", "/responses")["running"])

    def identity_requests(self, **query: str) -> list[Json]:
        return list(self._ask("GET", f"/identity/requests?{urlencode(query)}"))

    def wait_for_identity(self, *, timeout: float = 5.0, count: int = 1, **query: str) -> Json:
        return self._wait("/identity/requests/wait", query, timeout, count)

    # The process.

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait(self, path: str, query: dict[str, str], timeout: float, count: int) -> Json:
        asked = {**query, "timeout": str(timeout), "count": str(count)}
        return dict(self._ask("GET", f"{path}?{urlencode(asked)}", seconds=timeout + ANSWER_SECONDS))

    def _ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Any:
        connection = http.client.HTTPConnection(urlsplit(self.control).netloc, timeout=seconds)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers or {})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status == 408:
            raise NothingHappenedError(json.loads(data)["error"])
        if answer.status >= 400:
            raise ControlError(data.decode())
        return json.loads(data)


def _start(arguments: list[str]) -> Process:
    """Start it as a command, or forked where the environment names a fork server."""
    if address := os.environ.get(ADDRESS):
        return ForkedProcess(address, "simulator", arguments, os.environ, stderr=2)
    command = [sys.executable, "-m", "dev.simulator", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
