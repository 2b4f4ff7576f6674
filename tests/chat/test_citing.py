"""A decoder whose words cite: in every dialect the same, with the model's own ending after what was held back."""

from collections.abc import Sequence

from shared.chat.citing import CitingDecoder
from shared.chat.dialects import DIALECTS
from shared.events import AnswerEvent, Citation, Delta, Finished
from shared.retrieval.markers import MarkerReader
from shared.sse import frame_data
from tests.harness.cells import cells
from tests.harness.frames import FRAMES


def events(dialect: str, words: Sequence[str]) -> list[AnswerEvent]:
    frames = FRAMES[DIALECTS[dialect].path]
    decoder = CitingDecoder(DIALECTS[dialect].new_decoder(), MarkerReader(2))
    found: list[AnswerEvent] = []
    for frame in [*frames.opening(), *(frames.word(word) for word in words), *frames.ending()]:
        found += decoder.decode(frame_data(frame) or b"")
        assert not decoder.may_have_failed
    found += decoder.end()
    assert decoder.is_ended
    return [event for event in found if isinstance(event, Delta | Citation | Finished)]


@cells("dialect", DIALECTS)
def test_a_marker_in_three_pieces_is_one_citation(dialect: str) -> None:
    assert events(dialect, ["It waits ", "[", "2", "]", "."]) == [
        Delta("It waits "), Delta("[2]"), Citation("2", 9, 12), Delta("."), Finished("stop"),
    ]  # fmt: skip


@cells("dialect", DIALECTS)
def test_what_was_held_back_leaves_before_the_end(dialect: str) -> None:
    assert events(dialect, ["a", "[1"]) == [Delta("a"), Delta("[1"), Finished("stop")]
