"""The logic of attempts, without a network: whatever backends do, in whatever order, an answer has one honest ending."""

import asyncio
import gc
import random
import time
import weakref
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import batched

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.chat.dialects import DIALECTS
from shared.chat.encoders.sse import SseEncoder
from shared.chat.translation import ChatTranslation
from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.config.settings import Settings
from shared.errors import AnswerError, ErrorObject, UpstreamErrorResponse, UpstreamUnreachable
from shared.openai_api.inspector import ChunkInspector, ResponseInspector
from shared.openai_api.relay import StreamRelay
from shared.progress import Phase
from shared.receipt import Receipt
from shared.translation import Translation
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall, UpstreamResponse
from shared.upstream.pool import BackendPool
from tests.harness.cells import cells
from tests.upstream.bodies import Body

FRAMES = {
    "filter": b'data: {"choices":[],"prompt_filter_results":[{}]}\n\n',
    "role": b'data: {"id":"%(n)d","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n',
    "word": b'data: {"id":"%(n)d","choices":[{"index":0,"delta":{"content":"from%(n)d "}}]}\n\n',
    "note": b'data: {"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{}}]}\n\n',
    "stop": b'data: {"id":"%(n)d","choices":[{"index":0,"finish_reason":"stop","delta":{}}]}\n\n',
    "usage": b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    "done": b"data: [DONE]\n\n",
    "error": b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n',
    "denied": b'data: {"error":{"message":"PermissionDenied","code":"403"}}\n\n',
    "malformed": b"data: {nope\n\n",
    "comment": b": hello\n\n",
    "huge": b"data: " + b"x" * 20_000 + b"\n\n",
    "created": b'data: {"type":"response.created","response":{"id":"resp_1"}}\n\n',
    "output": b'data: {"type":"response.output_text.delta","delta":"from%(n)d"}\n\n',
    "keepalive": b'event: keepalive\ndata: {"type":"keepalive","sequence_number":3}\n\n',
    "oops": b'event: error\ndata: {"type":"error","error":{"code":"rate_limit_exceeded","message":"slow down"}}\n\n',
    "failed": b'data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"oops"}}}\n\n',
    "completed": b'data: {"type":"response.completed","response":{"id":"resp_1"}}\n\n',
}
ONLY_RESPONSES = {"created", "output", "failed", "oops", "keepalive", "completed"}
CHAT_FRAMES = sorted(FRAMES.keys() - ONLY_RESPONSES)
RESPONSE_FRAMES = sorted(ONLY_RESPONSES | {"malformed", "comment", "huge", "done"})
OPENINGS = ["ok", "unreachable", "429", "500", "401", "400", "missing"]
ENDS = ["eof", "reset"]


@dataclass
class Script:
    """What one backend does when it is asked."""

    opening: str
    frames: list[str]
    end: str
    frames_per_read: int = 1


class Clients:
    """Stands in for the clients, at a seam of ours."""

    load_seconds = 0.0

    def __init__(self, scripts: list[Script]) -> None:
        self._scripts = scripts
        self.asked: list[int] = []
        self.bodies: list[Body] = []

    async def load(self) -> None:
        """As slow as the test wants it."""
        await asyncio.sleep(self.load_seconds)

    async def open(self, backend: Backend, call: UpstreamCall, deployment: str) -> UpstreamResponse:
        number = int(backend.name)
        self.asked.append(number)
        script = self._scripts[number]
        if script.opening == "unreachable":
            raise UpstreamUnreachable("no")
        if script.opening == "missing":
            raise UpstreamErrorResponse(status=400, error=ErrorObject("no", "t", "invalid_encrypted_content"))
        if script.opening != "ok":
            raise UpstreamErrorResponse(status=int(script.opening), error=ErrorObject("no", "t", "c"))
        frames = [FRAMES[name].replace(b"%(n)d", b"%d" % number) for name in script.frames]
        reads = [b"".join(read) for read in batched(frames, script.frames_per_read, strict=False)]
        body = Body(reads, script.end)
        self.bodies.append(body)
        return UpstreamResponse(200, {}, body)

    async def aclose(self) -> None:
        """Nothing is open."""


def new_translation(api: str) -> Translation:
    if api == "responses":
        return StreamRelay(ResponseInspector(), hides_usage=True, max_event_bytes=10_000)
    if api == "relay":
        return StreamRelay(ChunkInspector(), hides_usage=True, max_event_bytes=10_000)
    return ChatTranslation(DIALECTS["chat"].new_decoder(), SseEncoder(), max_event_bytes=10_000)


MODEL = Target("m", {str(number): "m" for number in range(3)})
CALL = UpstreamCall(path="p", target=MODEL)


def new_pool(size: int, clock: Callable[[], float] = time.monotonic) -> BackendPool:
    names = map(str, range(size))
    return BackendPool([Backend(name=n, base_url="https://b/", priority=int(n), scope="s") for n in names], clock=clock)


async def run(
    scripts: list[Script], api: str, *, call: UpstreamCall = CALL, pool: BackendPool | None = None, **env: str
) -> tuple[bytes, AnswerError | None, Translation, Clients]:
    clients = Clients(scripts)
    env = {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com", "COMMIT_SECONDS": "0.05", **env}
    upstream = Upstream(clients, pool or new_pool(len(scripts)), Settings.from_env(env))
    receipt = Receipt(id="r", invocation_id="i", api=api)
    answer = Answer(call, lambda: new_translation(api), upstream, receipt)
    out, failure = b"", None
    try:
        with closing(await answer.begin()) as stream:
            while block := await stream.read():
                out += block
    except AnswerError as error:
        failure = error
    return out, failure, answer.translation, clients


def case_of(seed: int) -> tuple[str, list[Script]]:
    """Return an API and what one to three backends do."""
    rng = random.Random(seed)
    api = rng.choice(["relay", "chat", "responses"])
    frames = RESPONSE_FRAMES if api == "responses" else CHAT_FRAMES
    scripts = [
        Script(rng.choice(OPENINGS), rng.choices(frames, k=rng.randrange(8)), rng.choice(ENDS), rng.randint(1, 7))
        for _ in range(rng.randint(1, 3))
    ]
    return api, scripts


ENDINGS = {"relay": b"data: [DONE]", "chat": b"event: finished", "responses": b'"type":"response.completed"'}


@cells("seed", range(400))
def test_any_order_of_events_gives_one_honest_ending(seed: int) -> None:
    api, scripts = case_of(seed)
    out, failure, translation, clients = asyncio.run(run(scripts, api))
    finished = ENDINGS[api] in out
    assert finished == (failure is None) == (translation.progress.phase is Phase.ENDED)
    if failure is not None and out:
        assert translation.progress.has_content, "what was held before content never leaves"
        told = translation.fail(failure).frames or out
        assert b"error" in told or b"failed" in told, "the client is told once, by us or by the upstream's own event"
    if failure is not None and not out:
        assert translation.fail(failure).frames, "a client that has heard heartbeats only is told"
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


GOOD = Script("ok", ["role", "word", "stop", "done"], "eof")


@cells("api", ["relay", "chat"])
def test_an_error_event_with_the_code_of_a_sign_in_is_no_fault_of_the_callers_and_none_of_our_identity(
    api: str,
) -> None:
    denied = Script("ok", ["role", "denied"], "eof")
    _, failure, _, _ = asyncio.run(run([denied], api))
    assert (failure and failure.status, failure and failure.code) == (502, "403")
    _, failure, _, clients = asyncio.run(run([denied, GOOD], api))
    assert (failure, clients.asked) == (None, [0, 1])


@cells("content", [[], ["output"]], ids=["before content", "after content"])
@cells("end", ENDS)
def test_an_announced_failure_is_told_as_it_is_however_the_connection_ends(content: list[str], end: str) -> None:
    out, failure, translation, _ = asyncio.run(run([Script("ok", ["created", *content, "failed"], end)], "responses"))
    assert failure is not None
    assert (failure.code, failure.message) == ("server_error", "oops")
    assert bool(out) == bool(content)
    own = translation.fail(failure).frames == b""
    assert own is bool(content), "the upstream's own ending is the only one, where it left"


def test_a_backend_that_only_lacks_what_is_named_stays_in_use() -> None:
    now = 0.0
    pool = new_pool(2, lambda: now)
    asyncio.run(run([Script("500", [], "eof"), GOOD], "relay", pool=pool))
    now = 100.0
    for _ in range(2):  # the first of them is the probe that brings it back
        _, failure, _, clients = asyncio.run(run([Script("missing", [], "eof"), GOOD], "relay", pool=pool))
        assert (failure, clients.asked) == (None, [0, 1])


def test_the_first_attempt_may_begin_however_late_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Clients, "load_seconds", 0.2)
    out, failure, _, _ = asyncio.run(run([GOOD], "relay", ATTEMPT_BUDGET_SECONDS="0.1"))
    assert (failure, out[-14:]) == (None, b"data: [DONE]\n\n")


class LargeBody:
    """What a call's body is made from."""

    def __call__(self, _backend: Backend, _deployment: str) -> bytes:
        return b"x"


def test_a_stream_holds_nothing_of_what_was_asked() -> None:
    async def begin() -> None:
        large = LargeBody()
        kept = weakref.ref(large)
        clients = Clients([Script("ok", ["role", "word", "word", "stop", "done"], "eof")])
        env = {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com"}
        upstream = Upstream(clients, new_pool(1), Settings.from_env(env))
        receipt = Receipt(id="r", invocation_id="i", api="relay")
        call = UpstreamCall(path="p", target=MODEL, body=large)
        begun = Answer(call, lambda: new_translation("relay"), upstream, receipt).begin()
        del large, call
        with closing(await begun) as stream:
            del begun
            gc.collect()
            assert kept() is None
            assert b"from0" in await stream.read()

    asyncio.run(begin())
