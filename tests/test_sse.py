"""The splitter and the frame writer; examples of https://html.spec.whatwg.org/multipage/server-sent-events.html."""

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared import sse
from shared.errors import UpstreamFrameTooLarge
from shared.sse import FrameSplitter, frame_data, with_data, write_frame
from tests.harness.cells import cells


def data_of(stream: bytes, *, cuts: list[int] | None = None) -> list[bytes]:
    """What a reader of the stream gets, the stream arriving in the given pieces."""
    splitter = FrameSplitter(1 << 20)
    edges = [0, *sorted(cuts or []), len(stream)]
    frames = [frame for start, end in pairwise(edges) for frame in splitter.feed(stream[start:end])]
    return [data for data in map(frame_data, frames) if data is not None]


@cells(
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


@cells("end", [b"\n", b"\r\n", b"\r"])
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


@cells("stream", [b"data: " + b"x" * 100, b"data: " + b"x" * 100 + b"\n\n"])
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


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes were searched for a blank line, at each of the three places that search."""
    sizes: list[int] = []

    def counted(search: Callable[[bytes], object]) -> Callable[[bytes], object]:
        def count(data: bytes) -> object:
            sizes.append(len(data))
            return search(data)

        return count

    for name in ("_has_blank_line", "_cut_lf", "_cut_any"):
        monkeypatch.setattr(sse, name, counted(getattr(sse, name)))
    return sizes


def split(stream: bytes, piece: int) -> None:
    """Feed one frame in such pieces."""
    splitter = FrameSplitter(1 << 20)
    splitter.feed(b": first\n\n")
    frames = [frame for start in range(0, len(stream), piece) for frame in splitter.feed(stream[start : start + piece])]
    assert b"".join([*frames, splitter.flush()]) == stream
    assert len(frames) == 1


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_the_work_for_a_frame_grows_with_its_size_and_not_with_its_reads(
    end: bytes, piece: int, searched: list[int]
) -> None:
    work = []
    for size in (20_000, 40_000):
        searched.clear()
        split(b"data: " + b"x" * size + end + end, piece)
        work.append(sum(searched))
    assert work[1] < 2.1 * work[0]
    assert 20_000 < work[0] < 6 * 20_000  # each byte where it arrives, before the next, and with its frame


@cells("before", [b"", b"data: 1\n\n"])
def test_one_frame_of_one_line_is_read_at_once(before: bytes) -> None:
    splitter = FrameSplitter(100)
    splitter.feed(before)
    expected = b"2" if before else None  # the first read may begin with a byte order mark
    assert splitter.single_event_data(b"data: 2\n\n") == expected
    for other in (b"data: 2\n", b"data: 2\r\n\r\n", b"data: 1\n\ndata: 2\n\n", b"data: 1\ndata: 2\n\n", b": 2\n\n",
                  b"data: 1\r\n\n", b"data: " + b"x" * 100 + b"\n\n"):  # fmt: skip
        assert splitter.single_event_data(other) is None


def test_while_a_frame_is_held_no_read_is_a_frame_of_its_own() -> None:
    splitter = FrameSplitter(100)
    splitter.feed(b"data: 1\n\ndata: ")
    assert splitter.single_event_data(b"data: 2\n\n") is None


def test_a_byte_order_mark_alone_is_held_until_more_comes() -> None:
    splitter = FrameSplitter(100)
    assert splitter.feed(b"\xef\xbb") == []
    assert splitter.feed(b"\xbfdata") == []
    assert splitter.flush() == b"data"


_PIECES = [b"\r", b"\n", b"\r\n", b"\n\n", b"data: a", b"x", b": c", b"\xef\xbb\xbf"]


def frames_by_the_book(reads: list[bytes]) -> list[bytes]:
    """What the splitter gives, written for reading: all that is held is searched again at every read."""
    held, at_start, out = b"", True, list[bytes]()
    for read in reads:
        held += read
        if at_start and len(held) < 3 and b"\xef\xbb\xbf".startswith(held):
            continue
        held, at_start = held.removeprefix(b"\xef\xbb\xbf") if at_start else held, False
        while found := re.search(rb"(?>\r\n|\r|\n)(?>\r\n|\r|\n)", held):
            out.append(held[: found.end()])
            held = held[found.end() :]
    return [*out, held]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(_PIECES), max_size=14).map(b"".join), st.data())
def test_what_is_held_in_pieces_is_cut_as_if_it_were_searched_anew(stream: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reads = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    splitter = FrameSplitter(1000)
    frames = [frame for read in reads for frame in splitter.feed(read)]
    assert [*frames, splitter.flush()] == frames_by_the_book(reads)


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


@cells(
    ("frame", "data", "expected"),
    [
        (b"data: {}\n\n", b"[1]", b"data: [1]\n\n"),
        (b"event: a\ndata: {}\n\n", b"[1]", b"event: a\ndata: [1]\n\n"),
        (b"id: 7\r\ndata:{\r\ndata:}\r\nevent: a\r\n\r\n", b"[1]", b"id: 7\nevent: a\ndata: [1]\n\n"),
        (b": note\ndata\ndatum: 1\n\n", b"[1]", b": note\ndatum: 1\ndata: [1]\n\n"),
        (b"data: {}\n\n", b"{\n}", b"data: {\ndata: }\n\n"),
    ],
)
def test_a_frame_with_other_data_keeps_its_other_fields(frame: bytes, data: bytes, expected: bytes) -> None:
    assert with_data(frame, data) == expected
    assert frame_data(expected) == data
