"""The connection behind an ASGI `send`, closed at once: what ASGI has no message for."""

from typing import Any

from starlette.types import Send


def abort_connection(send: Send) -> None:
    """Close the connection, whatever waits to be sent on it. Do nothing where the server is not uvicorn.

    A response that is left incomplete makes uvicorn close the connection only once all of it has been sent, which a client
    that does not read puts off for ever; and uvicorn's shutdown waits for that.
    """
    cycle: Any = getattr(send, "__self__", None)
    abort = getattr(getattr(cycle, "transport", None), "abort", None)
    if abort is not None:
        abort()
