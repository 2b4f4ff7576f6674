"""A stand-in for the table service that speaks HTTP to the real client and fails on demand. It keeps nothing."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from email.utils import formatdate
from urllib.parse import unquote

from tests.state.azurite import Account

EMPTY = b'{"value":[]}'
BOUNDARY = "changesetresponse"
SLOW_SECONDS = 60.0

type Reply = tuple[str, str, bytes]
"""Status line, content type and body."""


def batch(status: str, body: bytes = b"") -> Reply:
    """Return the answer to a transaction; `status` is that of its first operation."""
    part = (
        f"--batch\r\ncontent-type: multipart/mixed; boundary={BOUNDARY}\r\n\r\n--{BOUNDARY}\r\n"
        f"content-type: application/http\r\ncontent-transfer-encoding: binary\r\n\r\n"
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\r\n"
    ).encode()
    end = f"\r\n--{BOUNDARY}--\r\n--batch--\r\n".encode()
    return "202 Accepted", "multipart/mixed; boundary=batch", part + body + end


def refused(status: str, code: str) -> Reply:
    """Return an error response of the service."""
    body = f'{{"odata.error":{{"code":"{code}","message":{{"lang":"en-US","value":"No."}}}}}}'
    return status, "application/json", body.encode()


FAULTS: dict[str, tuple[Reply | None, Reply | None]] = {
    "412 for ever": (None, batch("412 Precondition Failed", refused("", "UpdateConditionNotSatisfied")[2])),
    "429": (refused("429 Too Many Requests", "TooManyRequests"),) * 2,
    "503": (refused("503 Service Unavailable", "ServerBusy"),) * 2,
    "403": (refused("403 Forbidden", "AuthorizationPermissionMismatch"),) * 2,
    "a redirect": (("302 Found", "text/plain", b""),) * 2,
    "an error page": (("500 Oops", "text/html", b"<html>sorry</html>"),) * 2,
    "no JSON": (("200 OK", "application/json", b"\x00\xff{"),) * 2,
    "another JSON": (("200 OK", "application/json", b'{"value":"none"}'),) * 2,
    "JSON of rows that are none": (("200 OK", "application/json", b'{"value":[7, null]}'),) * 2,
    "rows with words as numbers": (
        ("200 OK", "application/json", b'{"value":[{"RowKey":"KEY","granted":"many"}]}'),
        None,
    ),
    "rows without a version": (("200 OK", "application/json", b'{"value":[{"RowKey":"KEY","granted":1}]}'), None),
    "no multipart": (None, ("202 Accepted", "application/json", b"{}")),
    "an empty answer": (("200 OK", "application/json", b""),) * 2,
}
"""By name: what a query and what a transaction is answered; None for a good answer."""
MUTE = ("slow", "silent", "a trickle", "a cut", "down")


class TableService:
    """The service. `fault`: one of `FAULTS` or `MUTE`, '' for none."""

    def __init__(self) -> None:
        self._port = 0
        self.fault = ""
        self.requests = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def account(self) -> Account:
        return Account(f"http://127.0.0.1:{self._port}/account", "a2V5", "table")

    async def fail(self, fault: str) -> None:
        """Answer so from now on."""
        self.fault = fault
        if fault == "down":
            await self.close()
        elif self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Close every connection, and take no other."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await self._answer(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n"))
        }
        await reader.readexactly(int(fields.get("content-length", "0")))
        self.requests += 1
        fault = self.fault
        is_batch = "$batch" in head.split("\r\n", 1)[0]
        status, kind, content = self._reply(fault, is_batch)
        if key := re.search(r"RowKey[+ ]eq[+ ]'([^']*)'", unquote(head)):
            content = content.replace(b"KEY", key[1].encode())
        if fault == "slow":
            await asyncio.sleep(SLOW_SECONDS)
        if fault == "silent":
            await asyncio.Event().wait()
        answer = (
            f"HTTP/1.1 {status}\r\ndate: {formatdate(usegmt=True)}\r\ncontent-type: {kind}\r\n"
            f"location: http://127.0.0.1:1/\r\ncontent-length: {len(content)}\r\n\r\n"
        ).encode() + content
        if fault == "a cut":
            writer.write(answer[: len(answer) - 3])
            await writer.drain()
            raise ConnectionError
        if fault == "a trickle":
            for byte in answer:
                writer.write(bytes([byte]))
                await asyncio.sleep(0.2)
        writer.write(answer)
        await writer.drain()

    def _reply(self, fault: str, is_batch: bool) -> Reply:
        found = FAULTS.get(fault, (None, None))[is_batch]
        if found is None:
            return (
                batch("204 No Content\r\netag: W/\"datetime'2026'\"")
                if is_batch
                else ("200 OK", "application/json", EMPTY)
            )
        status, kind, content = found
        return status, kind, content


@asynccontextmanager
async def table_service() -> AsyncIterator[TableService]:
    """Serve well until told otherwise."""
    service = TableService()
    await service.fail("")
    try:
        yield service
    finally:
        await service.close()
