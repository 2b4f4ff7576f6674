"""A backend's listening socket: accepting, refusing or dropping connections, always on the same port."""

import asyncio
import socket
from collections.abc import Callable

from dev.simulator.wire import SOCKET_SEND_BUFFER_BYTES, Application, Connection

HOST = "127.0.0.1"
BACKLOG = 1024
REBIND_TRIES = 200
REBIND_SECONDS = 0.005
FILLERS = 4


class Backend:
    def __init__(self, name: str, application: Application) -> None:
        self.name = name
        self.port = 0
        self._application = application
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._closed: list[socket.socket] = []
        self._reopening: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def listen(self, port: int) -> None:
        self.port = port
        await self._open(await self._bound())

    async def open(self) -> None:
        """Accept connections again."""
        if self._reopening is not None:
            self._reopening.cancel()
            self._reopening = None
        if self._server is None:
            for one in self._closed:
                one.close()
            self._closed.clear()
            await self._open(await self._bound())

    async def refuse(self, seconds: float | None) -> None:
        """Answer new connections with a RST. The port stays reserved: bound, but not listening."""
        await self._close()
        self._closed.append(await self._bound())
        self._reopen_after(seconds)

    async def drop(self, seconds: float | None) -> None:
        """Ignore new connections: the accept queue is full, so that Linux drops their SYN."""
        await self._close()
        listener = await self._bound()
        listener.listen(0)
        self._closed.append(listener)
        for _ in range(FILLERS):
            filler = socket.socket()
            filler.settimeout(0)
            filler.connect_ex((HOST, self.port))
            self._closed.append(filler)
        self._reopen_after(seconds)

    async def _open(self, listener: socket.socket) -> None:
        make: Callable[[], Connection] = lambda: Connection(self.name, self._application, self._connections)  # noqa: E731
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(make, sock=listener, backlog=BACKLOG)
        self.port = listener.getsockname()[1]

    async def _close(self) -> None:
        """Stop listening, and close idle connections, which pooling clients would reuse."""
        await self.open()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in list(self._connections):
            connection.close_when_idle()

    async def _bound(self) -> socket.socket:
        for _ in range(REBIND_TRIES):
            listener = socket.socket()
            listener.settimeout(0)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_SEND_BUFFER_BYTES)
            try:
                listener.bind((HOST, self.port))
            except OSError:
                listener.close()
                if self._server is None and self.port == 0:
                    raise
                await asyncio.sleep(REBIND_SECONDS)  # the old socket closes in the next iterations of the loop
            else:
                return listener
        raise OSError(f"port {self.port} is taken")

    def _reopen_after(self, seconds: float | None) -> None:
        if seconds is not None:
            self._reopening = asyncio.get_running_loop().call_later(seconds, self._reopen)

    def _reopen(self) -> None:
        task = asyncio.get_running_loop().create_task(self.open())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
