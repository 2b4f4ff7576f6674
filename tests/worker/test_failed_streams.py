"""How a stream that fails after its first word ends on the wire, format by format: after the error event, a cut or a clean end.

A client that passes over the error event must not take what it has for the whole answer, where such clients are known: the
connection breaks without the closing chunk. It breaks after the event has arrived, which every other client raises.
"""

import contextlib
import time
from typing import Any

import pytest

from dev.simulator.control import Simulator
from dev.simulator.probe import Probe, ask
from tests.app_process import App
from tests.worker.sim import sim
from tests.worker.ways import STREAMS, WAYS, Way

LAST_CHUNK = b"0\r\n\r\n"
BROKEN: dict[str, Any] = {"tokens": ["Hello", " you", " and"], "interval": 0, "end": "reset", "after": 2}
CUT = {
    "chat ndjson": b'{"type":"failed","error":{',
    "openai chat": b'data: {"error":{',
    "completions": b'data: {"error":{',
    "responses": b'event: error\ndata: {"type":"error",',
}
"""The formats that are cut, and how their error event begins."""
CLEAN = {
    "chat sse": b'event: failed\ndata: {"type":"failed",',
    "ui-message": b'data: {"type":"error","errorText":',
    "chat-protocol": b'{"error":{',
}
"""The formats that end cleanly, and how their error event begins."""


def raw(probe: Probe) -> bytes:
    """Everything that comes, chunks' sizes and all, until the other side has ended."""
    received = probe.read_until(b"\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):  # how the host cuts
        while data := probe.read():
            received += data
    return received


def test_every_streaming_format_has_its_ending() -> None:
    assert {*CUT, *CLEAN, "chat text"} == set(STREAMS)


@pytest.mark.parametrize("way", CUT)
def test_after_the_error_event_the_connection_breaks_without_the_closing_chunk(app: App, way: str) -> None:
    with WAYS[way].begin(app, "gpt", sim(**BROKEN)) as probe:
        probe.read_until(b"upstream_cut")
        received = raw(probe)
    assert received.endswith((b"}\n\n\r\n", b"}\n\r\n")), "the chunk of the error event is whole"
    assert CUT[way] in received[received.rindex(b" you") :]
    assert LAST_CHUNK not in received


@pytest.mark.parametrize("way", CLEAN)
def test_where_a_cut_would_make_things_worse_the_error_event_is_followed_by_a_clean_end(app: App, way: str) -> None:
    with WAYS[way].begin(app, "gpt", sim(**BROKEN)) as probe:
        received = raw(probe)
    assert CLEAN[way] in received[received.rindex(b" you") :]
    assert received.endswith(LAST_CHUNK)


def test_plain_text_is_cut_after_its_last_word(app: App) -> None:
    with WAYS["chat text"].begin(app, "gpt", sim(**BROKEN)) as probe:
        received = raw(probe)
    assert received.endswith(b" you\r\n")


@pytest.mark.parametrize("way", CUT)
def test_the_error_event_is_there_before_the_connection_breaks(app: App, way: str) -> None:
    arrived = []
    for _ in range(5):
        with WAYS[way].begin(app, "gpt", sim(**BROKEN)) as probe:
            probe.read_until(b"upstream_cut")
            began = time.monotonic()
            with pytest.raises(ConnectionResetError):
                probe.read()  # the event and the end come in reads of their own
            arrived.append(time.monotonic() - began)
        if arrived[-1] > 0.05:
            break
    assert arrived[-1] > 0.05, "a busy machine may see some of them late, not all"


@pytest.mark.parametrize("way", ["openai chat", "completions"])
def test_an_error_event_of_the_upstreams_own_is_cut_after_too(app: App, way: str) -> None:
    behaviour: dict[str, Any] = {"tokens": ["Hello", " you"], "interval": 0, "in_stream_error": {"at": 1, "done": True}}
    with WAYS[way].begin(app, "gpt", sim(**behaviour)) as probe:
        received = raw(probe)
    assert b'"error"' in received
    assert b"[DONE]" not in received
    assert not received.endswith(LAST_CHUNK)


@pytest.mark.parametrize("order", ["failed_only", "failed_first", "error_first"])
def test_a_response_that_failed_by_its_own_terminal_event_ends_as_the_upstream_ends_it(app: App, order: str) -> None:
    # Clients read `response.failed` as an end and raise nothing; a cut would make them raise a broken connection.
    behaviour: dict[str, Any] = {
        "tokens": ["Hello", " you"],
        "interval": 0,
        "in_stream_error": {"at": 1, "order": order},
    }
    with WAYS["responses"].begin(app, "gpt", sim(**behaviour)) as probe:
        received = raw(probe)
    assert b"response.failed" in received
    assert received.endswith(LAST_CHUNK)


def test_a_failure_after_heartbeats_alone_is_cut_too(app: App) -> None:
    with WAYS["openai chat"].begin(app, "gpt", sim(start_delay=1.5, end="reset", after=0)) as probe:
        received = raw(probe)
    assert WAYS["openai chat"].heartbeat in received
    assert CUT["openai chat"] in received
    assert LAST_CHUNK not in received


@pytest.mark.parametrize("way", [*CUT, "chat text"])
def test_a_cut_hurts_nobody_else_and_leaves_one_receipt(app: App, way: str) -> None:
    with WAYS["chat sse"].begin(app, "gpt", sim(tokens=["Hello", *[" you"] * 20], interval=0.05)) as other:
        other.read_until(b"Hello")
        seen, _ = WAYS[way].ask(app, "gpt", sim(**BROKEN))
        assert WAYS["chat sse"].outcome(other.read_all()).kind == "finished"
    (receipt,) = app.receipts(id=seen.headers["x-request-id"])
    assert (receipt["ended"], receipt["status"]) == ("upstream_cut", 200)
    assert ask(app.url + "/health").status == 200


def test_a_slow_reader_gets_everything_before_the_cut(app: App, simulator: Simulator) -> None:
    way: Way = WAYS["openai chat"]
    simulator.behave({"tokens": ["x" * 10_000] * 40, "interval": 0, "end": "reset", "after": 39})
    with way.begin(app, "gpt", "hi", receive_buffer=4096) as probe:
        probe.read_until(b"xxxx")
        time.sleep(0.5)
        seen = probe.read_all()
    assert way.outcome(seen) == way.broken("upstream_cut", "x" * 390_000)
