"""Servers that take telemetry well and badly, in one process: `python -m bench.collectors` prints its port.

The first part of a request's path says how it is answered: `/good/…`, `/slow/…`, `/503/…`, `/429/…`, `/garbage/…`. What comes
after it is the exporter's own. OTLP over HTTP and the ingestion of Application Insights are answered alike: with what the
latter wants to read, which the former does not look at.
"""

import asyncio
import gzip
import json
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SLOW_SECONDS = 30.0
GARBAGE = b"\x00\xff\x16\x03 this is no HTTP \r\n\r\n" + bytes(range(256)) * 256
DEAD = "dead"
"""Nobody listens."""
WAYS = ("good", DEAD, "slow", "503", "429", "garbage")


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
            body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
            way = head.split(b"/", 2)[1].decode()
            if way == "garbage":
                writer.write(GARBAGE)
                break
            if way == "slow":
                await asyncio.sleep(SLOW_SECONDS)
            count = _items(body, fields.get(b"content-encoding", b""))
            taken = count if way in ("good", "slow") else 0
            said = json.dumps({"itemsReceived": count, "itemsAccepted": taken, "errors": []}).encode()
            status = way.encode() if way.isdecimal() else b"200"
            writer.write(b"HTTP/1.1 %b Said\r\ncontent-type: application/json\r\n" % status)
            writer.write(b"content-length: %d\r\n\r\n" % len(said) + said)
    except (asyncio.IncompleteReadError, OSError):
        pass
    finally:
        writer.close()


def _items(body: bytes, encoding: bytes) -> int:
    """Return how many items of Application Insights there are; 0 for anything else."""
    body = gzip.decompress(body) if encoding == b"gzip" else body
    return len(json.loads(body)) if body.startswith(b"[") else 0


class Collectors:
    """The process. `address` is where an exporter is sent."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.collectors"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())
        self._unused = socket.socket()
        self._unused.bind(("127.0.0.1", 0))  # and never listens, so that nobody else does

    def address(self, way: str) -> str:
        """Return the address below which everything is answered in this way."""
        return f"http://127.0.0.1:{self._unused.getsockname()[1] if way == DEAD else self._port}/{way}"

    def stop(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait()
        self._unused.close()


async def _main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
