"""The benchmark's model service as a process, with control of its plan and access to its counters."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.connection import BadAnswer
from bench.plan import Plan

ROOT = Path(__file__).resolve().parents[1]


class ServiceProcess:
    """A service that runs until it is stopped or this process ends."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bench.upstream"]
        # A new session, so that signals to this process's group, such as Ctrl-C, do not reach it.
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process ID, to measure its CPU share."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Return whether the process has ended, which it should not before `stop`."""
        return self._process.poll() is not None

    async def play(self, plan: Plan) -> None:
        """Set the plan of all following requests."""
        await self._ask(b"PUT /plan", plan.to_json())

    async def stats(self) -> dict[str, float]:
        """Return the counters since the start: requests, chunks, late_turns, open, cpu_seconds."""
        counters: dict[str, float] = await self._ask(b"GET /stats", b"")
        return counters

    async def until_idle(self, seconds: float = 10.0) -> None:
        """Wait until no stream is open, that is, until all disconnects have been noticed."""
        async with asyncio.timeout(seconds):
            while (await self.stats())["open"]:  # noqa: ASYNC110 - another process counts
                await asyncio.sleep(0.02)

    async def cut_streams(self) -> None:
        """Close all open streams, which the subject should have closed."""
        await self._ask(b"DELETE /streams", b"")

    def stop(self) -> None:
        """Stop the service."""
        self._process.terminate()
        self._process.wait()

    async def _ask(self, line: bytes, body: bytes) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(line + b" HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise BadAnswer("the bench's own model service refused")
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            return json.loads(await reader.readexactly(length))
        finally:
            writer.close()
