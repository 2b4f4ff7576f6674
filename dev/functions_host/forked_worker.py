"""A worker that `dev.fork_server` has forked, with the part of `asyncio.subprocess.Process` that the host uses."""

import asyncio
import os
import signal
from typing import Self

from dev import fork_server


class ForkedWorker:
    """Made by `start`. `returncode` is None until it has ended."""

    def __init__(self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._writer = writer
        self._end = asyncio.get_running_loop().create_task(self._read_end(reader))

    @classmethod
    async def start(cls, address: str, app: str, environment: dict[str, str], channel: int) -> Self:
        """Ask the server at `address` for a worker. Raise OSError where nothing listens there."""
        birth = fork_server.Birth("worker", [app], environment, app, session=True)
        with open(os.devnull, "rb") as nothing:  # noqa: ASYNC230, PTH123 - it opens at once
            pid, connection = fork_server.ask(address, birth, [nothing.fileno(), 2, 2, channel])
        return cls(pid, *await asyncio.open_connection(sock=connection))

    async def wait(self) -> int:
        """Return the exit status, negative for a signal, when it has ended."""
        return await asyncio.shield(self._end)

    def send_signal(self, number: int, /) -> None:
        """Send a signal. Raise ProcessLookupError where it has ended and the server has noticed."""
        os.kill(self.pid, number)

    async def _read_end(self, reader: asyncio.StreamReader) -> int:
        # The end of the server is the end of its children.
        self.returncode = int(await reader.readline() or -signal.SIGKILL)
        self._writer.close()
        return self.returncode
