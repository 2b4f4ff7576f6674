"""The bodies of successful responses: read as they arrive, read in advance, or checked where nothing frames them."""

import asyncio
import json
from collections.abc import Mapping

import aiohttp

from shared.errors import UpstreamCut
from shared.upstream.call import Body, Take
from shared.upstream.connections import hang_up
from shared.upstream.errors import is_json
from shared.upstream.tap import Tap

MAX_CHECKED_BYTES = 1024 * 1024
_CUT = "The connection to the model broke off in the middle of the answer."


class ResponseBody:
    """The body of a response, read as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Listen for the end of the connection."""
        self._response = response
        self._content = response.content
        protocol = response.connection and response.connection.protocol
        self._closed = protocol.closed if protocol is not None else None
        if self._closed is not None:
            self._closed.add_done_callback(self._on_closed)
        elif protocol is not None:  # it was closed before anybody listened
            self._fail()

    def _on_closed(self, closed: asyncio.Future[None]) -> None:
        _retrieve_exception(closed)
        self._fail()

    def _fail(self) -> None:
        # NOTE: after an error in the framing of a body aiohttp closes the connection, and leaves the reader waiting.
        if not self._content.is_eof() and self._content.exception() is None:
            self._content.set_exception(aiohttp.ClientPayloadError("the connection has gone"))

    async def read(self) -> bytes:
        """Return whatever has arrived, at least one byte; b'' at a clean end. Raise `UpstreamCut`."""
        try:
            data: bytes = await self._content.readany()
        except (aiohttp.ClientError, OSError):
            raise UpstreamCut(_CUT, cause="connection lost in the middle of the response") from None
        return data

    async def flow(self, take: Take) -> None:
        """Hand over what arrives, without waking a task, until `take` returns False or `read` has more to say."""
        await Tap(self._content, take).run()

    def at_end(self) -> bool:
        """Return whether the body is complete and read."""
        return bool(self._content.at_eof())

    def hang_up(self) -> None:
        """Tell the upstream at once that nothing more is wanted; what has arrived by then can still be read."""
        connection = self._response.connection
        if connection is not None and not self.at_end():
            hang_up(connection.transport)

    def close(self) -> None:
        """Return a finished connection to the pool; close an unfinished one at once."""
        if self._closed is not None and not self._closed.done():
            self._closed.remove_done_callback(self._on_closed)
            self._closed.remove_done_callback(_retrieve_exception)
            self._closed.add_done_callback(_retrieve_exception)
        if self.at_end():
            self._response.release()
        else:
            self.hang_up()
            self._response.close()


def _retrieve_exception(closed: asyncio.Future[None]) -> None:
    """Retrieve the exception, so that asyncio does not log "Future exception was never retrieved"."""
    _ = closed.cancelled() or closed.exception()


class BufferedBody:
    """A small body that was read with its head."""

    def __init__(self, content: bytes) -> None:
        """Keep the bytes."""
        self._content = content

    async def read(self) -> bytes:
        """Return all of it, then b''."""
        content, self._content = self._content, b""
        return content

    def at_end(self) -> bool:
        """Return whether it was read."""
        return not self._content

    def hang_up(self) -> None:
        """Do nothing: no connection is held."""

    def close(self) -> None:
        """Do nothing: no connection is held."""


class UnframedBody:
    """JSON that only the connection's end delimits: complete where it parses, since nothing else says so.

    What is larger than `MAX_CHECKED_BYTES` passes unchecked.
    """

    def __init__(self, body: Body) -> None:
        """Watch a body that only the end of its connection delimits."""
        self._body = body
        self._seen = bytearray()
        self._is_over = False

    async def read(self) -> bytes:
        """Return whatever has arrived; b'' at the end of a complete body. Raise `UpstreamCut` for an incomplete one."""
        data = await self._body.read()
        self._is_over = not data
        if len(self._seen) <= MAX_CHECKED_BYTES:
            self._seen += data
        if not data and 0 < len(self._seen) <= MAX_CHECKED_BYTES and not _is_complete(self._seen):
            raise UpstreamCut(_CUT, cause="the body ended before its JSON did")
        return data

    def at_end(self) -> bool:
        """Return whether `read` has met the end: before that nobody knows."""
        return self._is_over

    def hang_up(self) -> None:
        """Tell the upstream at once that nothing more is wanted; what has arrived by then can still be read."""
        self._body.hang_up()

    def close(self) -> None:
        """Release it at once, finished or not."""
        self._body.close()


def is_unframed_json(headers: Mapping[str, str]) -> bool:
    """Return whether a response has JSON as its body, and neither a length nor chunks that say where it ends.

    https://www.rfc-editor.org/rfc/rfc9112.html#section-6.3, rule 8.
    """
    is_framed = "content-length" in headers or "chunked" in headers.get("transfer-encoding", "").lower()
    is_plain = headers.get("content-encoding", "identity").strip().lower() == "identity"
    return not is_framed and is_plain and is_json(headers.get("content-type", ""))


def _is_complete(text: bytearray) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        pass  # nested too deeply to be checked
    return True
