"""Positions: numbers that rise, from which nothing is lost and nothing comes twice, in whatever pieces the text comes."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from shared.chat.positions import MAX_POSITION, OTHERS, Numbering, positioned
from shared.events import AnswerEvent, Delta, Finished, Reasoning, Started, Step, Usage

ENDING: list[AnswerEvent] = [Usage(1, 2), Finished("stop")]


def left(events: Sequence[AnswerEvent], after: int, *, is_rebuilt: bool = False) -> list[tuple[int, AnswerEvent]]:
    numbering = Numbering(after, lambda: is_rebuilt)
    return [(numbering.number, event) for one in events if (event := numbering.left(one)) is not None]


def said(events: Sequence[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta | Reasoning))


texts = st.text(alphabet="aé😀\n", min_size=1, max_size=4)
middle = st.lists(st.one_of(texts.map(Delta), texts.map(Reasoning), st.just(Step("search", "started"))), max_size=12)


@given(middle)
def test_whatever_number_a_reader_has_the_rest_completes_it(events: list[AnswerEvent]) -> None:
    whole = left([Started("1", "m"), *events, *ENDING], 0)
    numbers = [number for number, _ in whole]
    assert numbers == sorted(set(numbers))
    for index, (number, _) in enumerate(whole):
        assert whole[: index + 1] + left([Started("1", "m"), *events, *ENDING], number) == whole


@given(st.lists(texts, min_size=1, max_size=8))
def test_a_number_holds_where_the_same_text_comes_in_one_piece(pieces: list[str]) -> None:
    steps = [Step("search", "started"), Step("search", "completed")]
    whole = left([Started("1", "m"), *steps, *map(Delta, pieces), *ENDING], 0)
    for index, (number, _) in enumerate(whole):
        had = [event for _, event in whole[: index + 1]]
        rest = [
            event for _, event in left([Started("1", "m"), Delta("".join(pieces)), *ENDING], number, is_rebuilt=True)
        ]
        assert said(had) + said(rest) == "".join(pieces)
        assert rest[-1] == ENDING[-1]


def test_a_number_that_falls_into_a_piece_cuts_it() -> None:
    (_, first), *_ = left([Delta("Hello you")], 5 * OTHERS)
    assert first == Delta(" you")


def test_of_more_events_than_there_are_numbers_the_last_come_again_and_none_is_lost() -> None:
    events: list[AnswerEvent] = [*[Step("search", "started")] * (OTHERS + 9), *ENDING]
    whole = left(events, 0)
    last_number = whole[-1][0]
    assert last_number == OTHERS - 1
    assert left(events, last_number)[-1][1] == ENDING[-1]


def test_four_million_characters_have_numbers() -> None:
    assert left([Delta("x" * 4_000_000), *ENDING], 0)[-1][0] < MAX_POSITION


def test_behind_an_id_every_block_has_data_because_httpx_sse_takes_one_without_for_an_event() -> None:
    encoder = positioned("sse", {}, after=0, is_rebuilt=lambda: False)
    beat = encoder.heartbeat
    assert beat.startswith(b":")
    events = (Started("1", "m"), Delta("Hello"), Delta(" you"), *ENDING)
    body = beat + b"".join(encoder.encode([event]) + beat * 2 for event in events)
    blocks = body.removesuffix(beat * 2).split(b"\n\n")
    assert [b"\ndata: " in block for block in blocks] == [True] * len(events) + [False]
    assert blocks[-1] == b""
