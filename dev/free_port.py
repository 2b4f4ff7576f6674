"""A port for a process of tests and benches that cannot take one by itself (`--port 0`) or does not say which it took."""

import contextlib
import secrets
import socket

PORTS = range(20_000, 32_768)
"""Below those that systems give to connections that go out, which would take the port before the process does."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    while True:
        port = secrets.choice(PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
