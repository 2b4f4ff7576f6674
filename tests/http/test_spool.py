"""A body that is kept in a file: the same bytes, as often as they are asked for, and nothing left."""

import asyncio
import tempfile

import pytest

from shared.errors import OutOfResources
from shared.http.spool import HELD_BYTES, PIECE_BYTES, Spool
from tests.harness.cells import cells

LARGE = bytes(range(256)) * (3 * HELD_BYTES // 256) + b"the end"


async def spooled(body: bytes, *, size: int = 65_000) -> Spool:
    spool = Spool()
    for start in range(0, len(body), size):
        if (writing := spool.write(body[start : start + size])) is not None:
            await writing
    await spool.finish()
    return spool


async def all_of(spool: Spool, start: int = 0) -> bytes:
    return b"".join([piece async for piece in spool.read(start, spool.size)])


@cells("body", [b"", b"small", LARGE[:HELD_BYTES], LARGE], ids=["none", "small", "held", "in a file"])
def test_the_bytes_are_read_as_often_as_wanted_and_from_any_place(body: bytes) -> None:
    async def scene() -> None:
        spool = await spooled(body)
        assert spool.size == len(body)
        assert await all_of(spool) == await all_of(spool) == body
        assert list(await asyncio.gather(all_of(spool), all_of(spool, 3))) == [body, body[3:]]
        spool.close()

    asyncio.run(scene())


def test_no_piece_is_large_and_memory_holds_the_beginning_alone() -> None:
    async def scene() -> None:
        spool = await spooled(LARGE)
        assert len(spool._held) == 0
        sizes = [len(piece) async for piece in spool.read(0, spool.size)]
        assert max(sizes) == PIECE_BYTES
        spool.close()

    asyncio.run(scene())


@cells("body", [b"small", LARGE])
def test_nothing_is_read_after_the_close(body: bytes) -> None:
    async def scene() -> None:
        spool = await spooled(body)
        reading = spool.read(0, spool.size)
        await anext(reading)
        spool.close()
        spool.close()
        if body is LARGE:
            with pytest.raises(OSError, match="closed"):
                await anext(reading)
        with pytest.raises(OSError, match="closed"):
            await all_of(spool)
        await reading.aclose()

    asyncio.run(scene())


def test_a_release_waits_for_who_reads() -> None:
    async def scene() -> None:
        spool = await spooled(LARGE)
        reading = spool.read(0, spool.size)
        await anext(reading)
        spool.release()
        assert await anext(reading) == LARGE[PIECE_BYTES : 2 * PIECE_BYTES]
        await reading.aclose()
        spool.release()
        with pytest.raises(OSError, match="closed"):
            await all_of(spool)

    asyncio.run(scene())


def test_a_full_disk_is_out_of_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_options: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)

    async def scene() -> None:
        with pytest.raises(OutOfResources):
            await spooled(LARGE)

    asyncio.run(scene())
