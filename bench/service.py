"""The bench's own model service as a process that can be told its plan and asked for its counters."""

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
    """Runs until it is stopped, or this process ends."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "bench.upstream"]
        # Its own session: what is sent to this process's group, Ctrl-C for example, is not for it.
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """For its share of the other core."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """It should not, before `stop`."""
        return self._process.poll() is not None

    async def play(self, plan: Plan) -> None:
        """Every request from now on."""
        await self._ask(b"PUT /plan", plan.to_json())

    async def stats(self) -> dict[str, float]:
        """Counters since the start: requests, chunks, late_turns, open, cpu_seconds."""
        counters: dict[str, float] = await self._ask(b"GET /stats", b"")
        return counters

    async def until_idle(self, seconds: float = 10.0) -> None:
        """Until no stream is open: whoever left has been noticed."""
        async with asyncio.timeout(seconds):
            while (await self.stats())["open"]:  # noqa: ASYNC110 - another process counts
                await asyncio.sleep(0.02)

    async def cut_streams(self) -> None:
        """All that are open: whoever should have closed them has left them behind."""
        await self._ask(b"DELETE /streams", b"")

    def stop(self) -> None:
        """Ends it."""
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
