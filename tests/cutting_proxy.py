"""A proxy on this machine that breaks connections in mid-answer, as a phone does that changes its network."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

READ_BYTES = 65536


class CuttingProxy:
    """Passes on what comes. `mark`: with these bytes in an answer its connection ends, as often as `cuts` says.

    `instead`: is called in place of that, and may kill who answers.
    """

    def __init__(
        self, url: str, mark: bytes, cuts: int = 1, *, instead: "Callable[[CuttingProxy], None] | None" = None
    ) -> None:
        self.move(url)
        self._instead = instead
        self.mark = mark
        self.cuts = cuts
        """How many are left."""
        self.answers = 0
        """How many connections had an answer."""
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def move(self, url: str) -> None:
        """Pass on to another address from here on, as a load balancer does."""
        address = urlsplit(url)
        self._target = (address.hostname or "", address.port or 80)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(self._target) as server:
            threading.Thread(target=self._send_up, args=(client, server), daemon=True).start()
            seen = b""
            with contextlib.suppress(OSError):
                while data := server.recv(READ_BYTES):
                    self.answers += not seen
                    seen = (seen + data)[-READ_BYTES:]
                    client.sendall(data)
                    if self._cuts(seen):
                        break
            for one in (client, server):  # another thread reads, so that closing them would do nothing yet
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _cuts(self, seen: bytes) -> bool:
        with self._lock:
            if self.mark in seen and self.cuts > 0:
                self.cuts -= 1
                if self._instead is None:
                    return True
                self._instead(self)
        return False

    def _send_up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(READ_BYTES):
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
