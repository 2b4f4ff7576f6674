"""The request's body, off the wire: bounded, and aware of a client that leaves while sending it."""

from starlette.types import Receive

from shared.errors import RequestTooLarge


class ClientLeft(Exception):
    """The client has gone: nobody is to be answered."""


async def read_body(receive: Receive, max_bytes: int) -> bytes:
    """Return the complete body. Raise `RequestTooLarge` or `ClientLeft`."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        piece = message.get("body", b"")
        size += len(piece)
        if size > max_bytes:
            raise RequestTooLarge(f"The body is larger than the {max_bytes} bytes that are accepted here.")
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)
