"""A form is spooled as it arrives, and its file is gone when nobody can need it any more, however the answer ends."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.errors import UpstreamCut
from shared.http.spool import HELD_BYTES
from tests.harness.app import InProcessApp, play
from tests.harness.caller import Caller
from tests.harness.cells import cells
from tests.harness.upstream import FOREVER, JSON, Play, refuses

FORM = {"content-type": "multipart/form-data; boundary=x-y"}
PARTS = (
    b'--x-y\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + b"\0" * (3 * HELD_BYTES),
    b'\r\n--x-y\r\nContent-Disposition: form-data; name="model"\r\n\r\near\r\n--x-y--\r\n',
)
HEARD = Play(body=[b'{"text":', b'"hello"}'], headers=JSON)
FDS = Path("/proc/self/fd")
pytestmark = pytest.mark.skipif(not FDS.exists(), reason="needs /proc, as on Linux")


def spooled_files() -> int:
    """Return how many unnamed files this process has open."""
    return sum(1 for name in _links() if name.startswith(tempfile.gettempdir()) and name.endswith("(deleted)"))


def _links() -> Iterator[str]:
    for one in FDS.iterdir():
        try:
            yield str(one.readlink())
        except OSError:
            continue


ENDINGS: dict[str, tuple[Any, Caller, str]] = {
    "answered": (HEARD, Caller(), "finished"),
    "refused": (refuses(400), Caller(), "400"),
    "cut": (Play(body=[b"{", UpstreamCut("It broke off.")], headers=JSON), Caller(), "upstream_cut"),
    "left before the answer": (Play(body=[FOREVER]), Caller(leaves_at=5.0), "client_left"),
    "left in the form": (HEARD, Caller(pauses_body=[1.0, 1.0], leaves_in_body=True), "client_left"),
    "stopped in the form": (HEARD, Caller(pauses_body=[1.0, 40.0]), "request_timeout"),
    "too large": (HEARD, Caller(pauses_body=[1.0, 1.0]), "request_too_large"),
}


@cells("ending", ENDINGS)
def test_no_file_is_left_however_the_answer_ends(ending: str) -> None:
    script, caller, ended = ENDINGS[ending]
    before = spooled_files()

    async def scene(app: InProcessApp) -> None:
        exchange = app.begin("/v1/audio/transcriptions", b"".join(PARTS), headers=FORM, caller=caller)
        assert (await exchange.end()).receipt["ended"] == ended
        assert spooled_files() == before

    limit = {"MAX_UPLOAD_BYTES": str(2 * HELD_BYTES)} if ending == "too large" else {}
    play(scene, {"main": script}, **limit)


def test_the_file_is_gone_once_the_answer_has_begun() -> None:
    before = spooled_files()
    slow = Play(body=[20.0, b'{"text":', 20.0, b'"hello"}'], headers=JSON)

    async def scene(app: InProcessApp) -> None:
        exchange = app.begin("/v1/audio/transcriptions", b"".join(PARTS), headers=FORM)
        await asyncio.sleep(10)
        assert spooled_files() == before + 1
        await asyncio.sleep(20)
        assert spooled_files() == before
        assert (await exchange.end()).json == {"text": "hello"}

    play(scene, {"main": slow})
