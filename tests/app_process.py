"""The app on the real worker library behind the development host, as a process that tests can ask and stop."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dev.forked_process import Process
from dev.simulator.control import Simulator
from dev.simulator.probe import Probe, Seen, ask
from tests.host_start import start_host

ROOT = Path(__file__).resolve().parents[1]
READY = "Listening on "
START_SECONDS = 30.0
JSON = {"content-type": "application/json"}

QUICK = {
    "AUTH_MODE": "anonymous",
    "AZURE_OPENAI_DEPLOYMENT": "gpt",
    "DEBUG_HEADERS": "true",
    "COMMIT_SECONDS": "1",
    "HEARTBEAT_SECONDS": "0.5",
    "FIRST_CONTENT_SECONDS": "3",
    "ATTEMPT_BUDGET_SECONDS": "8",
    "UPSTREAM_SILENCE_SECONDS": "2",
    "DRAIN_SECONDS": "2",
}
"""Settings under which every deadline is near."""


class App:
    """A running app. `log` is what host and worker have written so far."""

    def __init__(self, process: Process, log_file: Any) -> None:
        self._process = process
        self._log_file = log_file
        self.url = ""

    @classmethod
    def start(cls, simulator: Simulator | None = None, *, arguments: tuple[str, ...] = (), **settings: str) -> Self:
        """Starts it on a free port and waits until it listens. Settings that are not given are those of `QUICK`."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "OPENAI_"))}
        if simulator is not None:
            env |= simulator.identity_environment | {"AZURE_OPENAI_ENDPOINT": simulator.backends["main"]}
        given = [f"--set={name}={value}" for name, value in (QUICK | settings).items()]
        log_file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - lives as long as the app
        app = cls(start_host(["--port", "0", "--quiet", *given, *arguments], env, log_file), log_file)
        app.url = app._wait_until_ready()
        app._wait_until_warm()
        return app

    def _wait_until_ready(self) -> str:
        assert self._process.stdout is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            line = self._process.stdout.readline()
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
            if not line:
                break
        self.stop()
        raise RuntimeError(f"the app did not start:\n{self.log}")

    def _wait_until_warm(self) -> None:
        """Until the slow imports are done: on a busy machine they take longer than the deadlines of `QUICK`."""
        deadline = time.monotonic() + START_SECONDS
        while not re.search("Ready to ask the model|ERROR shared.service", self.log) and time.monotonic() < deadline:
            time.sleep(0.02)

    @property
    def log(self) -> str:
        """Everything on the standard error of host and worker."""
        number = self._log_file.fileno()
        # At an offset of its own: the process writes at the one that both share.
        return os.pread(number, os.fstat(number).st_size, 0).decode("utf-8", "replace")

    def has_logged(self, text: str, *, seconds: float = 5.0) -> bool:
        """Whether the text is in the log by then: a record travels from the worker to the host beside the answer."""
        deadline = time.monotonic() + seconds
        while text not in (log := self.log) and time.monotonic() < deadline:
            time.sleep(0.05)
        return text in log

    def receipts(self, *, count: int = 1, seconds: float = 5.0, **fields: Any) -> list[dict[str, Any]]:
        """The receipts with these fields, once there are `count` of them."""
        deadline = time.monotonic() + seconds
        while True:
            complete = self.log.rpartition("\n")[0]  # the last line may still be on its way
            lines = [
                line[line.index('{"event":"answer"') :] for line in complete.splitlines() if '{"event":"answer"' in line
            ]
            found = [receipt for receipt in map(json.loads, lines) if receipt.items() >= fields.items()]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def chat(self, body: Any, path: str = "/chat", **headers: str) -> Seen:
        """One request, and all that came back."""
        return ask(self.url + path, body if isinstance(body, bytes | dict) else {"input": body}, headers=JSON | headers)

    def probe(self, body: Any, path: str = "/chat", *, receive_buffer: int | None = None, **headers: str) -> Probe:
        """One request under way."""
        body = body if isinstance(body, bytes | dict) else {"input": body}
        return Probe(self.url + path, body, headers=JSON | headers, receive_buffer=receive_buffer)

    @property
    def worker_pid(self) -> int:
        """The process that runs the app's code."""
        return int(ask(self.url + "/admin/host/status").json["worker_pid"])

    @property
    def worker_tasks(self) -> int:
        """How many asyncio tasks that process has."""
        return int(ask(self.url + "/admin/host/status").json["worker_tasks"])

    @property
    def worker_blocks(self) -> int:
        """How many blocks of memory Python has allocated in that process, after a garbage collection."""
        return int(ask(self.url + "/admin/host/status").json["worker_blocks"])

    def kill_worker(self) -> None:
        """Send SIGKILL to the worker."""
        os.kill(self.worker_pid, signal.SIGKILL)

    def drain(self) -> None:
        """Send SIGTERM to the worker while the host goes on delivering, as Azure does with a whole instance."""
        self._process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """End the worker, then the host, as they are (kill -9)."""
        os.kill(self.worker_pid, signal.SIGKILL)
        self._process.kill()
        self.stop()

    def wait(self, seconds: float) -> int:
        """Until the host has ended; its exit status."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Ends it, and everything that belongs to it."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            with contextlib.suppress(OSError):
                self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
