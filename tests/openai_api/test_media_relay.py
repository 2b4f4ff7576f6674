"""The translations of images and audio: where each kind of answer ends, and that nothing else looks like its end."""

import json
from collections.abc import Callable

from shared.errors import UpstreamCut
from shared.events import Usage
from shared.openai_api.media import MEDIA
from shared.openai_api.media_relay import MediaBodyRelay, MediaInspector, SoundRelay, StreamOrBody
from shared.openai_api.relay import StreamRelay
from shared.progress import Phase
from shared.sse import HEARTBEAT
from shared.translation import ErrorEnding, Translation
from tests.harness.cells import cells

LIMIT = 1 << 20
STREAMED = [api for api in MEDIA.values() if api.ending]
DONE = b"data: [DONE]\n\n"


def event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def stream(ending: str, *, count: int = 1) -> StreamRelay:
    return StreamRelay(MediaInspector(ending, count=count), hides_usage=False, max_event_bytes=LIMIT)


PIECE = event("some.delta", delta="x", error=None)
USAGE = {"input_tokens": 7, "output_tokens": 9}


@cells("ending", [api.ending for api in STREAMED])
def test_a_stream_ends_with_the_event_of_its_path_and_passes_byte_for_byte(ending: str) -> None:
    relay = stream(ending)
    whole = PIECE + b": comment\n\n" + PIECE + event(ending, usage=USAGE)
    assert relay.feed(whole + PIECE) == whole
    assert (relay.progress.phase, relay.progress.usage, relay.progress.chunks) == (Phase.ENDED, Usage(7, 9), 2)


@cells("ending", [api.ending for api in STREAMED])
def test_a_clean_end_without_that_event_is_a_cut(ending: str) -> None:
    relay = stream(ending)
    relay.feed(PIECE)
    relay.end()
    assert isinstance(relay.progress.failure, UpstreamCut)
    shown = relay.fail(relay.progress.failure)
    assert shown.is_cut
    data = json.loads(shown.frames.partition(b"data: ")[2])
    assert (data["type"], data["error"]["code"]) == ("error", "upstream_cut")


def test_several_images_end_with_the_last_of_them_and_cost_together() -> None:
    relay = stream("image_generation.completed", count=2)
    one = event("image_generation.completed", usage=USAGE)
    relay.feed(PIECE + one)
    assert relay.progress.phase is Phase.CONTENT
    relay.feed(one)
    assert (relay.progress.phase, relay.progress.usage) == (Phase.ENDED, Usage(14, 18))
    short = stream("image_generation.completed", count=2)
    short.feed(one)
    short.end()
    assert isinstance(short.progress.failure, UpstreamCut)


def test_done_ends_the_stream_of_a_server_that_has_no_other_ending() -> None:
    relay = stream("transcript.text.done")
    assert relay.feed(PIECE + DONE) == PIECE + DONE
    assert relay.progress.phase is Phase.ENDED


@cells(
    "told",
    [
        event("error", error={"code": "rate_limit_exceeded", "message": "slow down"}),
        event("error", code="rate_limit_exceeded", message="slow down"),
        b'data: {"error":{"code":"rate_limit_exceeded","message":"slow down"}}\n\n',
    ],
)
def test_an_error_event_fails_the_answer_and_is_told_once(told: bytes) -> None:
    relay = stream("speech.audio.done")
    assert relay.feed(PIECE + told) == PIECE + told
    failure = relay.progress.failure
    assert failure is not None
    assert (failure.status, failure.message) == (429, "slow down")
    assert relay.fail(failure) == ErrorEnding(b"", is_cut=True)


def test_a_keepalive_is_no_content() -> None:
    relay = stream("image_edit.completed")
    relay.feed(event("keepalive"))
    assert not relay.progress.has_content
    assert relay.progress.events == 1


def test_a_body_passes_with_its_usage_whatever_its_size() -> None:
    for size in (10, 3_000_000):
        body = json.dumps({"data": [{"b64_json": "A" * size}], "usage": USAGE}).encode()
        relay = MediaBodyRelay()
        assert b"".join(relay.feed(body[start : start + 70_000]) for start in range(0, len(body), 70_000)) == body
        assert relay.end() == b""
        assert (relay.progress.phase, relay.progress.usage) == (Phase.ENDED, Usage(7, 9))
        assert len(relay._seen) + len(relay._tail) < 140_000


@cells(
    ("new_relay", "ends"),
    [(MediaBodyRelay, False), (SoundRelay, False), (lambda: MediaBodyRelay(may_be_empty=True), True)],
)
def test_nothing_is_an_answer_only_where_nobody_may_have_spoken(
    new_relay: Callable[[], Translation], *, ends: bool
) -> None:
    relay = new_relay()
    assert relay.end() == b""
    assert (relay.progress.phase is Phase.ENDED) is ends


def test_a_sound_passes_unread_without_heartbeats_and_can_only_be_cut() -> None:
    relay = SoundRelay()
    assert relay.feed(b'{"usage": {"input_tokens": 1}}') == b'{"usage": {"input_tokens": 1}}'
    relay.end()
    assert (relay.progress.usage, relay.heartbeat, relay.media_type) == (None, b"", "application/octet-stream")
    assert relay.fail(UpstreamCut("broke off")) == ErrorEnding(b"", is_cut=True)


def either() -> StreamOrBody:
    return StreamOrBody(stream("transcript.text.done"), MediaBodyRelay())


def test_a_body_where_a_stream_was_asked_for_is_sent_as_what_it_is() -> None:
    relay = either()
    assert (relay.heartbeat, relay.feed(b" \n")) == (b"", b"")
    assert relay.feed(b'{"text":') == b'{"text":'
    assert (relay.media_type, relay.heartbeat) == ("application/json", b"")
    assert relay.feed(b'"hi"}') == b'"hi"}'
    assert relay.end() == b""
    assert relay.progress.phase is Phase.ENDED
    assert relay.fail(UpstreamCut("broke off")) == ErrorEnding(b"", is_cut=True)


def test_a_stream_is_one_from_its_first_byte_on() -> None:
    relay, whole = either(), PIECE + event("transcript.text.done")
    assert relay.feed(whole[:1]) == b""
    assert relay.heartbeat == HEARTBEAT
    assert relay.feed(whole[1:]) == whole
    assert relay.progress.phase is Phase.ENDED


def test_nothing_at_all_is_neither() -> None:
    relay = either()
    relay.end()
    assert isinstance(relay.progress.failure, UpstreamCut)
    assert relay.fail(relay.progress.failure).is_cut
