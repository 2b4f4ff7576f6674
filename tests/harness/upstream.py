"""Backends that follow a script, behind the `UpstreamClients` Protocol: what each does when it is asked, and what it saw."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.config.backends import Backend
from shared.upstream.call import Take, UpstreamCall, UpstreamResponse
from shared.upstream.errors import error_from_status
from tests.harness.frames import FRAMES, Frames

FOREVER = math.inf
type Step = bytes | float | Exception
"""What a read returns, seconds to wait first, or what a read raises. After the last step the body has ended cleanly."""
EVENT_STREAM: Mapping[str, str] = {"content-type": "text/event-stream; charset=utf-8"}
JSON: Mapping[str, str] = {"content-type": "application/json"}


async def wait(seconds: float) -> None:
    """Wait in the loop's time; `FOREVER` ends only by cancellation."""
    if seconds == FOREVER:
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What one backend does with one call: `error` makes what it raises in place of a response."""

    body: Sequence[Step] = ()
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: EVENT_STREAM)
    seconds_to_headers: float = 0.0
    error: Callable[[], Exception] | None = None


type Script = Play | Callable[[UpstreamCall], Play]
"""A play, or what makes one for the API that is called."""


def refuses(
    status: int, error: object = None, *, headers: Mapping[str, str] | None = None, seconds_to_headers: float = 0.0
) -> Play:
    """Return a play that answers with an HTTP error, read as the real clients read it. `error`: the error object."""
    body = json.dumps({"error": error or {"message": f"Status {status}.", "code": str(status)}}).encode()
    found = {**JSON, **(headers or {})}
    return Play(error=lambda: error_from_status(status, found, body), seconds_to_headers=seconds_to_headers)


def fails(error: Callable[[str], Exception], *, seconds_to_headers: float = 0.0) -> Play:
    """Return a play that fails before the headers with an error of this type."""
    return Play(error=lambda: error("It failed."), seconds_to_headers=seconds_to_headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """An answer in whichever API is called: its words, one read each; then its own ending, or what `then` returns."""

    words: Sequence[str] = ("Hello", " you")
    then: Callable[[Frames], Sequence[Step]] | None = None
    seconds_to_headers: float = 0.0
    seconds_to_content: float = 0.0
    seconds_between: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    resize: Callable[[Sequence[Step]], Sequence[Step]] = list
    """Changes where the reads are cut."""

    def __call__(self, call: UpstreamCall) -> Play:
        """Return the play for this call."""
        frames = FRAMES[call.path if call.path in FRAMES else "responses"]
        steps = self._stream(frames) if call.streams else self._whole(frames)
        return Play(
            body=self.resize(steps),
            headers={**(EVENT_STREAM if call.streams else JSON), **self.headers},
            seconds_to_headers=self.seconds_to_headers,
        )

    def _stream(self, frames: Frames) -> list[Step]:
        steps: list[Step] = [*frames.opening(), self.seconds_to_content]
        for word in self.words:
            steps += [frames.word(word), self.seconds_between]
        steps += frames.ending() if self.then is None else self.then(frames)
        return [step for step in steps if step != 0.0]

    def _whole(self, frames: Frames) -> list[Step]:
        whole = frames.whole(self.words)
        half = len(whole) // 2
        rest = [whole[half:]] if self.then is None else self.then(frames)
        return [*([self.seconds_to_content] if self.seconds_to_content else []), whole[:half], *rest]


class ScriptedBody:
    """A `Body` that follows its steps."""

    def __init__(self, backend: str, steps: Sequence[Step]) -> None:
        self.backend = backend
        self.closed_at: float | None = None
        """When it was closed first, on the loop's clock."""
        self.hung_up_at: float | None = None
        self.reads = 0
        self._steps = list(steps)
        self._waits_until: float | None = None

    async def read(self) -> bytes:
        """Return or raise what the next step says."""
        assert self.closed_at is None, "read after close"
        while self._steps and isinstance(self._steps[0], float | int):
            await self._wait(self._steps[0])
            del self._steps[0]
        self.reads += 1
        if not self._steps:
            return b""
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            self._steps.insert(0, step)
            raise step
        assert isinstance(step, bytes)
        return step

    async def flow(self, take: Take) -> None:
        """Hand over what comes, each step in a callback of its own, as the event loop does."""
        loop = asyncio.get_running_loop()

        def hand_over(step: Any, taken: asyncio.Future[bool]) -> None:
            try:
                taken.set_result(take(step))
            except Exception as error:
                taken.set_exception(error)

        while self._steps and not isinstance(self._steps[0], Exception):
            step = self._steps[0]
            if isinstance(step, float | int):
                await self._wait(step)
                del self._steps[0]
                continue
            assert isinstance(step, bytes)
            self.reads += 1
            taken: asyncio.Future[bool] = loop.create_future()
            loop.call_soon(hand_over, self._steps.pop(0), taken)
            if not await taken:
                return

    async def _wait(self, seconds: float) -> None:
        """Wait until the same moment, also when a read was given up and another follows."""
        now = asyncio.get_running_loop().time()
        self._waits_until = now + seconds if self._waits_until is None else self._waits_until
        await wait(max(self._waits_until - now, 0.0))
        self._waits_until = None

    def at_end(self) -> bool:
        """Return whether every step was read."""
        return not self._steps

    def hang_up(self) -> None:
        """Note when. What comes after a pause has not arrived by then."""
        self.hung_up_at = asyncio.get_running_loop().time()

    def close(self) -> None:
        """Note when."""
        if self.closed_at is None:
            self.closed_at = asyncio.get_running_loop().time()


@dataclass(frozen=True, slots=True)
class Asked:
    """One call as a backend received it."""

    backend: str
    deployment: str
    call: UpstreamCall
    at: float
    """When, on the loop's clock."""
    raw: bytes | None

    @property
    def json(self) -> Any:
        """Return the request's body."""
        return json.loads(self.raw or b"null")


class ScriptedClients:
    """The `UpstreamClients` of a test. `scripts`: per backend, one script for each call; the last one stays."""

    def __init__(self, scripts: Mapping[str, Script | Sequence[Script]]) -> None:
        self._scripts = {name: list(one) if isinstance(one, Sequence) else [one] for name, one in scripts.items()}
        self.load_seconds = 0.0
        self.asked: list[Asked] = []
        self.bodies: list[ScriptedBody] = []
        self.is_closed = False

    async def load(self) -> None:
        """Take as long as the test wants."""
        await wait(self.load_seconds)

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        """Do what the backend's script says."""
        now = asyncio.get_running_loop().time()
        raw = call.body(backend, deployment)
        if call.upload is not None:
            upload = call.upload(backend, deployment)
            raw = b"".join([piece async for piece in upload])
            assert len(raw) == upload.size
        self.asked.append(Asked(backend.name, deployment, call, now, raw))
        scripts = self._scripts[backend.name]
        script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        play = script if isinstance(script, Play) else script(call)
        await wait(play.seconds_to_headers)
        if play.error is not None:
            raise play.error()
        body = ScriptedBody(backend.name, play.body)
        self.bodies.append(body)
        return UpstreamResponse(play.status, play.headers, body)

    async def aclose(self) -> None:
        """Note it."""
        self.is_closed = True
