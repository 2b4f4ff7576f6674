"""The splitter and the frame writer; examples of https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UpstreamFrameTooLarge
from shared.sse import FrameSplitter, frame_data, write_frame


def data_of(stream: bytes, *, cuts: list[int] | None = None) -> list[bytes]:
    """What a reader of the stream gets, the stream arriving in the given pieces."""
    splitter = FrameSplitter(1 << 20)
    edges = [0, *sorted(cuts or []), len(stream)]
    frames = [frame for start, end in pairwise(edges) for frame in splitter.feed(stream[start:end])]
    return [data for data in map(frame_data, frames) if data is not None]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [b"YHOO\n+2\n10"]),
        (b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
         [b"first event", b"second event", b" third event"]),
        (b"data\n\ndata\ndata\n\ndata:", [b"", b"\n"]),
        (b"data:test\n\ndata: test\n\n", [b"test", b"test"]),
    ],
    ids=["stock ticker", "four blocks", "empty data", "one space"],
)  # fmt: skip
def test_the_examples_of_the_specification_are_read_as_it_says(stream: bytes, expected: list[bytes]) -> None:
    assert data_of(stream) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_every_line_end_of_the_specification_ends_a_line(end: bytes) -> None:
    assert data_of(end.join([b"event: a", b"data: 1", b"", b"data: 2", b"", b""])) == [b"1", b"2"]


def test_a_byte_order_mark_at_the_start_is_dropped_even_when_cut() -> None:
    assert data_of(b"\xef\xbb\xbfdata: 1\n\n", cuts=[1, 2]) == [b"1"]


def test_line_separators_of_unicode_do_not_end_a_line() -> None:
    text = "a\u2028b\u0085c\x0bd".encode()
    assert data_of(b"data: " + text + b"\n\n") == [text]


def test_the_bytes_of_the_frames_are_those_that_came() -> None:
    stream = b": hi\r\n\r\nevent: x\rdata: 1\r\rdata: 2\n\n\ndata: 3\n\n"
    assert b"".join(FrameSplitter(100).feed(stream)) == stream


def test_an_unfinished_frame_is_held_back_and_handed_over_at_the_end() -> None:
    splitter = FrameSplitter(100)
    assert splitter.feed(b"data: 1\n\ndata: 2\n") == [b"data: 1\n\n"]
    assert splitter.flush() == b"data: 2\n"


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 100, b"data: " + b"x" * 100 + b"\n\n"])
def test_a_frame_beyond_the_bound_is_an_error(stream: bytes) -> None:
    with pytest.raises(UpstreamFrameTooLarge):
        list(FrameSplitter(64).feed(stream))


def test_the_frames_before_one_beyond_the_bound_are_not_lost() -> None:
    frames = iter(FrameSplitter(64).feed(b"data: 1\n\ndata: " + b"x" * 100))
    assert next(frames) == b"data: 1\n\n"
    with pytest.raises(UpstreamFrameTooLarge):
        next(frames)


def test_many_small_frames_in_one_read_may_exceed_the_bound_together() -> None:
    assert len(list(FrameSplitter(64).feed(b"data: 1\n\n" * 100))) == 100


_LINE = st.sampled_from([b'data: {"a": 1}', b"data:x", b"data", b": c", b"event: e", b"id: 1", "data: é😀".encode()])


@given(
    frames=st.lists(st.lists(_LINE, max_size=3), max_size=6),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    data=st.data(),
)
def test_any_cut_of_the_bytes_gives_the_same_frames(frames: list[list[bytes]], end: bytes, data: st.DataObject) -> None:
    stream = b"".join(line + end for frame in frames for line in [*frame, b""])
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    assert data_of(stream, cuts=cuts) == data_of(stream)


def test_a_written_frame_is_read_back() -> None:
    assert data_of(write_frame(b'{"a":1}', event=b"delta")) == [b'{"a":1}']
