"""A relay, not a translator: what the client receives is, byte for byte, what the upstream sent."""

import base64
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Seen
from tests.app_process import App
from tests.clients.recordings import STREAMS, WHOLES, Recording
from tests.harness.cells import cells
from tests.signed_ids import SIGNED, unsigned

WITHIN_A_CHARACTER = re.compile(rb"(?<=[\xc0-\xff])(?=[\x80-\xbf])")
AROUND_LINE_ENDS = re.compile(rb"(?<=[\r\n])(?=\r|\n)(?<!\n\r)|(?<=data:)|(?<=\[)(?=DONE)")
"""Not inside the `\\r\\n` that ends a frame: see `test_a_frame_cut_inside_its_last_line_end_is_the_same_frame`."""
INSIDE_THE_LAST_LINE_END = re.compile(rb"(?<=\r\n\r)(?=\n)")
LINE_END = re.compile(rb"\r\n|\r|\n")
MOST_CUTS = 60
CALLER = "keys:clients"
CUT_SECONDS = 0.002

type Writes = list[tuple[float, bytes]]


def in_one_write(body: bytes) -> Writes:
    return [(0.0, body)]


def frame_by_frame(body: bytes) -> Writes:
    return _cut(body, [match.end() for match in re.finditer(rb"\r?\n\r?\n", body)])


def within_characters(body: bytes) -> Writes:
    return _cut(body, [match.end() for match in WITHIN_A_CHARACTER.finditer(body)])


def around_line_ends(body: bytes) -> Writes:
    return _cut(body, [match.end() for match in AROUND_LINE_ENDS.finditer(body)])


def _cut(body: bytes, places: list[int]) -> Writes:
    every = -(-len(places) // MOST_CUTS) or 1
    edges = [0, *places[::every], len(body)]
    return [(CUT_SECONDS, body[start:end]) for start, end in itertools.pairwise(edges) if start < end]


DELIVERIES: dict[str, Callable[[bytes], Writes]] = {
    "in one write": in_one_write,
    "frame by frame": frame_by_frame,
    "cut within characters": within_characters,
    "cut around line ends": around_line_ends,
}


def raw(writes: Writes) -> list[tuple[float, str]]:
    return [(delay, base64.b64encode(data).decode()) for delay, data in writes]


def ask(app: App, key: str, path: str, body: dict[str, Any]) -> Seen:
    with app.probe(body, path, authorization=f"Bearer {key}") as probe:
        return probe.read_all()


RELAYED = [
    pytest.param(recording, delivery, wants, id=f"{name}, {how}{', usage asked' if wants else ''}")
    for name, recording in STREAMS.items()
    for how, delivery in DELIVERIES.items()
    for wants in ([False, True] if recording.usage else [False])
    if not recording.asked.get("store")
]


def relayed(
    mapped: App, upstream: Simulator, key: str, recording: Recording, writes: Writes, *, wants_usage: bool
) -> Seen:
    upstream.behave(main={"raw": raw(writes)})
    options = {"stream_options": {"include_usage": True}} if wants_usage else {}
    return ask(mapped, key, recording.path, {"model": "gpt-4o-mini", "stream": True, **recording.asked, **options})


@cells(("recording", "delivery", "wants_usage"), RELAYED)
def test_a_stream_is_relayed_byte_for_byte(
    mapped: App,
    upstream: Simulator,
    key: str,
    recording: Recording,
    delivery: Callable[[bytes], Writes],
    wants_usage: bool,
) -> None:
    seen = relayed(mapped, upstream, key, recording, delivery(recording.body), wants_usage=wants_usage)
    assert (seen.status, seen.ending) == (200, "reset" if recording.fails else "complete")
    assert seen.body == (recording.body if wants_usage else recording.body.replace(recording.usage, b""))


@cells("delivery", DELIVERIES.values(), ids=DELIVERIES)
@cells("name", [name for name, one in STREAMS.items() if one.path == "/v1/responses"])
def test_a_stored_response_is_relayed_with_no_change_but_its_id(
    mapped: App, upstream: Simulator, key: str, name: str, delivery: Callable[[bytes], Writes]
) -> None:
    recording = STREAMS[name]
    stored = replace(recording, asked={**recording.asked, "store": True})
    seen = relayed(mapped, upstream, key, stored, delivery(recording.body), wants_usage=False)
    came, went = frames(seen.body), frames(recording.body)
    assert seen.ending == ("cut" if recording.fails else "complete")
    assert len(came) == len(went)
    signed = set(SIGNED.findall(seen.body))
    assert len(signed) == 1
    for ours, theirs in zip(came, went, strict=True):
        if b"resp_0a1b" not in theirs:
            assert ours == theirs
        else:
            assert fields_of(unsigned(ours, caller=CALLER)) == fields_of(theirs)


def fields_of(frame: bytes) -> dict[bytes, Any]:
    """A frame's fields, its data parsed."""
    pairs = (line.partition(b": ") for line in LINE_END.split(frame))
    return {name: json.loads(value) if name == b"data" else value for name, _, value in pairs}


def frames(body: bytes) -> list[bytes]:
    """The frames of a stream as any reader finds them."""
    return [frame for frame in (part.strip() for part in LINE_END.sub(b"\n", body).split(b"\n\n")) if frame]


@cells("name", ["azure chat, CRLF", "responses, CRLF"])
def test_a_frame_cut_inside_its_last_line_end_is_the_same_frame(
    mapped: App, upstream: Simulator, key: str, name: str
) -> None:
    recording = STREAMS[name]
    writes = _cut(recording.body, [match.end() for match in INSIDE_THE_LAST_LINE_END.finditer(recording.body)])
    seen = relayed(mapped, upstream, key, recording, writes, wants_usage=False)
    kept = recording.body.replace(recording.usage, b"")
    assert seen.ending == "complete"
    assert frames(seen.body) == frames(kept)


def test_each_recording_that_tells_its_usage_has_it_once() -> None:
    for recording in STREAMS.values():
        assert not recording.usage or recording.body.count(recording.usage) == 1


def test_what_arrives_in_one_read_leaves_in_one_write(mapped: App, upstream: Simulator, key: str) -> None:
    recording = STREAMS["44 events"]
    assert recording.body.count(b"\n\n") == 44
    upstream.behave(main={"raw": raw(in_one_write(recording.body))})
    seen = ask(mapped, key, recording.path, {"model": "gpt-4o-mini", "stream": True, **recording.asked})
    assert len(seen.chunks) < 10  # the network may cut what was one write


@cells(("path", "status", "body"), WHOLES.values(), ids=WHOLES)
def test_an_answer_in_one_piece_is_relayed_byte_for_byte(
    mapped: App, upstream: Simulator, key: str, path: str, status: int, body: bytes
) -> None:
    headers = {"content-type": "application/json; odd=1", "x-ratelimit-remaining-tokens": "7"}
    writes = [(0.0, body[: len(body) // 2]), (CUT_SECONDS, body[len(body) // 2 :])]
    upstream.behave(main={"raw": raw(writes), "status": status, "headers": headers})
    asked = {"messages": [], "input": "hi", "prompt": "hi", "store": False}
    seen = ask(mapped, key, path, {"model": "gpt-4o-mini", **asked})
    assert (seen.status, seen.ending) == (status, "complete")
    assert seen.body == body
    assert seen.headers.items() >= headers.items()


def test_a_stored_response_in_one_piece_has_another_id_and_the_length_that_comes_of_it(
    mapped: App, upstream: Simulator, key: str
) -> None:
    _, _, body = WHOLES["a response"]
    writes = [(0.0, body[: len(body) // 2]), (CUT_SECONDS, body[len(body) // 2 :])]
    upstream.behave(main={"raw": raw(writes), "headers": {"content-type": "application/json"}})
    seen = ask(mapped, key, "/v1/responses", {"model": "gpt-4o-mini", "input": "hi"})
    assert (seen.status, seen.ending) == (200, "complete")
    assert len(SIGNED.findall(seen.body)) == 1
    assert json.loads(unsigned(seen.body, caller=CALLER)) == json.loads(body)
    assert seen.headers["content-length"] == str(len(seen.body))


@cells("status", [400, 404, 429, 500])
def test_a_refusal_of_a_stream_is_relayed_byte_for_byte(
    mapped: App, upstream: Simulator, key: str, status: int
) -> None:
    body = json.dumps({"error": {"code": "odd", "message": "Größe", "inner": [1.0]}}, indent=3).encode()
    headers = {"content-type": "application/json", "retry-after": "9", "x-ratelimit-limit-requests": "3"}
    upstream.behave(main={"raw": raw(in_one_write(body)), "status": status, "headers": headers})
    seen = ask(mapped, key, "/v1/chat/completions", {"model": "gpt-4o-mini", "messages": [], "stream": True})
    assert (seen.status, seen.body, seen.ending) == (status, body, "complete")
    assert seen.headers.items() >= headers.items()
