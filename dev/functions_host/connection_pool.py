"""The idle connections to the worker's own HTTP server.

Connections are used again, as in the real host, which closes one that has been idle for 75 s.
"""

import asyncio
import socket

from dev.functions_host.worker_connection import WorkerConnection

RECEIVE_BUFFER_BYTES = 256 * 1024
IDLE_SECONDS = 75.0


class ConnectionPool:
    """Idle connections, the last used first."""

    def __init__(self, host: str, port: int, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self.host, self.port = host, port
        self._idle: list[WorkerConnection] = []
        self._idle_seconds = idle_seconds

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def idle(self) -> WorkerConnection | None:
        """Return an idle connection, if there is one, for a request."""
        while self._idle:
            connection = self._idle.pop()
            connection.take()
            if not connection.closing:
                return connection
        return None

    async def fresh(self) -> WorkerConnection:
        """Return a new connection; raise OSError when the worker takes none."""
        loop = asyncio.get_running_loop()
        link = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        # Without a bound the kernel takes megabytes in advance for a client that reads slowly.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        link.setblocking(False)  # noqa: FBT003 - the signature is the standard library's
        try:
            await loop.sock_connect(link, (self.host, self.port))
            _, connection = await loop.create_connection(lambda: WorkerConnection(self), sock=link)
        except BaseException:
            link.close()
            raise
        return connection

    async def reachable(self) -> bool:
        """Return whether the worker's server listens yet; the connection is kept for the first request."""
        try:
            self.give_back(await self.fresh())
        except OSError:
            return False
        return True

    def give_back(self, connection: WorkerConnection) -> None:
        """Keep a connection for the next request."""
        connection.resume()
        connection.keep(self._idle_seconds)
        self._idle.append(connection)

    def forget(self, connection: WorkerConnection) -> None:
        """Drop a connection that is closed."""
        connection.take()
        if connection in self._idle:
            self._idle.remove(connection)

    def close(self) -> None:
        """Close all: the worker has ended."""
        for connection in list(self._idle):
            connection.abort()
