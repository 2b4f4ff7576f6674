"""One case: everything that a run needs, as JSON. Bytes are text in Latin-1, so that a file shows them and keeps every one."""

from pathlib import Path
from typing import Literal

import msgspec


class Repeat(msgspec.Struct, frozen=True, tag="repeat"):
    """Bytes many times over."""

    of: str
    times: int


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """Seconds without a byte."""

    seconds: float


class End(msgspec.Struct, frozen=True, tag="end"):
    """What becomes of the connection after the last bytes.

    `clean`: the body is complete. `cut`: the connection breaks. `hang`: nothing more comes. `endless`: the last bytes come
    again and again.
    """

    how: Literal["clean", "cut", "hang", "endless"] = "clean"


type Piece = str | Repeat
type Step = str | Repeat | Pause
type Headers = list[tuple[str, str]]
type Surface = Literal["requests", "upstream", "wire", "identity", "settings", "worker", "media"]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request. The client leaves after so many seconds or bytes, or reads each block so slowly; None: it stays."""

    method: str = "POST"
    path: str
    query: str = ""
    headers: Headers
    body: list[Step] = []
    is_chunked: bool = False
    leaves_after_seconds: float | None = None
    leaves_after_bytes: int | None = None
    seconds_per_block: float = 0.0


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What an upstream answers to one attempt. `fault`: there is no answer at all."""

    status: int = 200
    headers: Headers = []
    steps: list[Step] = []
    end: End = End()
    fault: Literal["", "unreachable", "timeout", "identity"] = ""
    raw: bool = False
    """The steps are the bytes of the connection, head and framing included."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """`setup`: a name in `setups.SETUPS`; `env`: settings on top, see `environment`.
    `replies`: one per attempt, the last one again and again.
    """

    surface: Surface
    setup: str = "anonymous"
    env: dict[str, str] = {}
    asked: Asked
    replies: list[Reply] = []
    note: str = ""
    """Where it comes from: a seed and a number, or the fault that it once found."""


def raw(piece: Piece) -> bytes:
    """Return the bytes."""
    if isinstance(piece, Repeat):
        return piece.of.encode("latin-1") * piece.times
    return piece.encode("latin-1")


def text(data: bytes) -> str:
    """Return bytes as a case has them."""
    return data.decode("latin-1")


def environment(case: Case) -> dict[str, str]:
    """Return the settings as a process finds them: what is no UTF-8 as surrogates."""
    return {name: raw(value).decode("utf-8", "surrogateescape") for name, value in case.env.items()}


def joined(steps: list[Step]) -> bytes:
    """Return all the bytes, without the pauses."""
    return b"".join([raw(step) for step in steps if not isinstance(step, Pause)])


def load(path: Path) -> Case:
    """Read a case. Raise `msgspec.DecodeError` for a file that is none."""
    return msgspec.json.decode(path.read_bytes(), type=Case)


def save(case: Case, path: Path) -> None:
    """Write a case, for people to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(case), indent=1) + b"\n")
