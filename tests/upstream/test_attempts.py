"""The logic of attempts, without a network: whatever backends do, in whatever order, an answer has one honest ending."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.backend_list import Backend
from shared.chat_translation import ChatTranslation
from shared.encoders import ENCODERS
from shared.errors import AnswerError, ErrorObject, UpstreamCut, UpstreamRefusal, UpstreamUnreachable
from shared.peek import ChunkPeek
from shared.receipt import Receipt
from shared.relay import StreamRelay
from shared.settings import Settings
from shared.translation import Translation
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall
from shared.upstream.client import UpstreamClients
from shared.upstream.dialects import DIALECTS
from shared.upstream.pool import BackendPool

FRAMES = {
    "filter": b'data: {"choices":[],"prompt_filter_results":[{}]}\n\n',
    "role": b'data: {"id":"%(n)d","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n',
    "word": b'data: {"id":"%(n)d","choices":[{"index":0,"delta":{"content":"from%(n)d "}}]}\n\n',
    "note": b'data: {"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{}}]}\n\n',
    "stop": b'data: {"id":"%(n)d","choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\n',
    "usage": b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    "done": b"data: [DONE]\n\n",
    "error": b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n',
    "malformed": b"data: {nope\n\n",
    "comment": b": hello\n\n",
    "huge": b"data: " + b"x" * 20_000 + b"\n\n",
}
OPENINGS = ["ok", "unreachable", "429", "500", "401", "400"]
ENDS = ["eof", "reset"]


@dataclass
class Script:
    """What one backend does when it is asked."""

    opening: str
    frames: list[str]
    end: str


@dataclass
class Body:
    """A body that plays its script and knows whether it was closed."""

    pieces: list[bytes]
    end: str
    is_closed: bool = False

    async def read(self) -> bytes:
        assert not self.is_closed
        await asyncio.sleep(0)
        if self.pieces:
            return self.pieces.pop(0)
        if self.end == "reset":
            raise UpstreamCut("reset")
        return b""

    def at_end(self) -> bool:
        return not self.pieces and self.end == "eof"

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Response:
    """A head without anything in it."""

    body: Body
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Clients:
    """Stands in for the clients, at a seam of ours."""

    def __init__(self, scripts: list[Script]) -> None:
        self._scripts = scripts
        self.asked: list[int] = []
        self.bodies: list[Body] = []

    async def load(self) -> None:
        """Nothing is slow here."""

    async def open(self, backend: Backend, _call: UpstreamCall, _deployment: str) -> Response:
        number = int(backend.name)
        self.asked.append(number)
        script = self._scripts[number]
        if script.opening == "unreachable":
            raise UpstreamUnreachable("no")
        if script.opening != "ok":
            raise UpstreamRefusal(status=int(script.opening), error=ErrorObject("no", "t", "c"))
        body = Body([FRAMES[name].replace(b"%(n)d", b"%d" % number) for name in script.frames], script.end)
        self.bodies.append(body)
        return Response(body)


def new_translation(face: str) -> Translation:
    if face == "relay":
        return StreamRelay(ChunkPeek(), hides_usage=True, max_event_bytes=10_000)
    return ChatTranslation(DIALECTS["chat"].new_decoder(), ENCODERS["sse"](), max_event_bytes=10_000)


async def run(scripts: list[Script], face: str) -> tuple[bytes, AnswerError | None, Translation, Clients]:
    clients = Clients(scripts)
    backends = [Backend(name=str(n), base_url="https://b/", priority=n, scope="s") for n in range(len(scripts))]
    app_settings = Settings.from_env({"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "COMMIT_SECONDS": "0.05"})
    upstream = Upstream(cast(UpstreamClients, clients), BackendPool(backends), app_settings)
    receipt = Receipt(id="r", invocation_id="i", face=face)
    answer = Answer(UpstreamCall(path="p", model="m"), lambda: new_translation(face), upstream, receipt)
    out, failure = b"", None
    try:
        async for block in answer.blocks():
            out += block
    except AnswerError as error:
        failure = error
    return out, failure, answer.translation, clients


SCRIPTS = st.lists(
    st.builds(Script, st.sampled_from(OPENINGS), st.lists(st.sampled_from(sorted(FRAMES)), max_size=7), st.sampled_from(ENDS)),
    min_size=1,
    max_size=3,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(scripts=SCRIPTS, face=st.sampled_from(["relay", "chat"]))
def test_any_order_of_events_gives_one_honest_ending(scripts: list[Script], face: str) -> None:
    out, failure, translation, clients = asyncio.run(run(scripts, face))
    finished = b"data: [DONE]" in out if face == "relay" else b"event: finished" in out
    assert finished == (failure is None) == translation.is_ended
    if failure is not None and out:
        assert translation.has_content, "what was held before content never leaves"
        assert translation.fail(failure) is not None
    speakers = {number for number in range(3) if b"from%d" % number in out}
    assert len(speakers) <= 1, "two backends in one answer"
    if out:
        assert not speakers or clients.asked[-1] in speakers, "nobody is asked after content"
    assert all(body.is_closed for body in clients.bodies), "an upstream was left open"


@settings(max_examples=100, deadline=None)
@given(faults=st.lists(st.sampled_from(["unreachable", "429", "500", "401", "eof", "error", "malformed"]), max_size=2))
def test_a_healthy_backend_that_is_reachable_before_content_always_answers(faults: list[str]) -> None:
    def script(fault: str) -> Script:
        if fault in OPENINGS:
            return Script(fault, [], "eof")
        return Script("ok", ["filter", "role", *([] if fault == "eof" else [fault])], "eof")

    healthy = Script("ok", ["filter", "role", "word", "stop", "usage", "done"], "eof")
    out, failure, _, clients = asyncio.run(run([*map(script, faults), healthy], "relay"))
    assert failure is None
    assert out.endswith(b"data: [DONE]\n\n")
    assert clients.asked == list(range(len(faults) + 1))


def test_a_refusal_of_the_callers_own_asks_nobody_else() -> None:
    scripts = [Script("400", [], "eof"), Script("ok", ["word", "stop", "done"], "eof")]
    _, failure, _, clients = asyncio.run(run(scripts, "chat"))
    assert (failure and failure.status, clients.asked) == (400, [0])
