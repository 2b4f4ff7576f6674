"""The HTTP half of a request on its way to the worker: which connection carries it, and when it is tried again."""

import asyncio
import contextlib

from dev.functions_host.connection_pool import ConnectionPool
from dev.functions_host.worker_connection import ResponseListener, WorkerConnection

RETRY_SECONDS = (0.05, 0.1, 0.2, *(0.25,) * 6)
"""Before each further attempt for a request without a body, ten in all over 1.9 s (the host's RetryProxyHandler)."""
HEAD_START_SECONDS = 0.005
"""How long the invocation waits for its HTTP half to be sent. In 199 of 200 cases the real host's came first."""


class Forwarding:
    """One request, all attempts of which carry the same invocation id.

    A request with a body is sent once: the real host reads the client's body as it sends it, and can do so only once.
    """

    def __init__(self, pool: ConnectionPool, message: bytes, method: str, listener: ResponseListener) -> None:
        self._pool, self._message, self._method, self._listener = pool, message, method, listener
        self._pauses = iter(RETRY_SECONDS)
        self._attempt: asyncio.Task[None] | None = None
        self._connection: WorkerConnection | None = None
        self._sent = asyncio.Event()
        self._held = False
        self._unwanted = self._retries = False

    def begin(self) -> None:
        """Send it at once over an idle connection, else over a new one as soon as that is open."""
        idle = self._pool.idle()
        if idle is not None:
            self._use(idle)
        else:
            self._attempt = asyncio.get_running_loop().create_task(self._connect(0))

    async def head_start(self) -> None:
        """Return when it has been sent, or after a moment."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HEAD_START_SECONDS):
                await self._sent.wait()

    def again(self) -> bool:
        """Send it once more after a pause, or return False when it has been sent often enough."""
        pause = next(self._pauses, None)
        if pause is None:
            return False
        self._retries = True
        self._connection = None
        self._attempt = asyncio.get_running_loop().create_task(self._connect(pause))
        return True

    async def send_body(self, data: bytes) -> None:
        """Send some of a chunked body, as fast as the worker takes it; drop it where the worker has answered already."""
        await self._sent.wait()
        if self._connection is not None:
            self._connection.write(data)
            await self._connection.drained()

    def pause(self) -> None:
        """Read no more of the response for the moment."""
        self._held = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """Read the response again."""
        self._held = False
        if self._connection is not None:
            self._connection.resume()

    def over(self) -> None:
        """Leave the connection, whose response is complete, to others."""
        self._connection = None

    def abort(self) -> None:
        """Close the connection. One that is being opened is closed when the request is sent."""
        self._unwanted = True
        if self._attempt is not None and (self._retries or self._sent.is_set()):
            self._attempt.cancel()
        if self._connection is not None:
            self._connection.abort()
            self._connection = None

    def abandon(self) -> None:
        """Close the connection when the worker writes next."""
        if self._connection is not None:
            self._connection.abandon()
            self._connection = None

    async def _connect(self, pause: float) -> None:
        if pause:
            await asyncio.sleep(pause)
        try:
            connection = self._pool.idle() or await self._pool.fresh()
        except OSError:
            self._listener.on_lost()
        else:
            self._use(connection)

    def _use(self, connection: WorkerConnection) -> None:
        self._connection = connection
        connection.request(self._message, self._listener, self._method)
        self._sent.set()
        if self._unwanted:
            connection.close()
            self._connection = None
        elif self._held:
            connection.pause()
