"""How far an answer has come: the table of transitions."""

from collections.abc import Callable

from shared.errors import UpstreamCut, UpstreamMalformed
from shared.progress import Phase, Progress
from tests.harness.cells import cells

CUT = UpstreamCut("cut")
ANNOUNCED = UpstreamMalformed("announced")
STEPS: dict[str, Callable[[Progress], None]] = {
    "content": Progress.content,
    "announce": lambda progress: progress.announce_failure(ANNOUNCED),
    "end": Progress.end,
    "fail": lambda progress: progress.fail(CUT),
    "end of body": Progress.end_of_body,
}
REACH = {
    Phase.PREAMBLE: [],
    Phase.CONTENT: ["content"],
    Phase.FAILING: ["announce"],
    Phase.ENDED: ["end"],
    Phase.FAILED: ["fail"],
}
TABLE = {
    Phase.PREAMBLE: [Phase.CONTENT, Phase.FAILING, Phase.ENDED, Phase.FAILED, Phase.FAILED],
    Phase.CONTENT: [Phase.CONTENT, Phase.FAILING, Phase.ENDED, Phase.FAILED, Phase.FAILED],
    Phase.FAILING: [Phase.FAILING, Phase.FAILING, Phase.FAILED, Phase.FAILED, Phase.FAILED],
    Phase.ENDED: [Phase.ENDED] * 5,
    Phase.FAILED: [Phase.FAILED] * 5,
}


def at(phase: Phase) -> Progress:
    progress = Progress()
    for step in REACH[phase]:
        STEPS[step](progress)
    assert progress.phase is phase
    return progress


@cells("phase", Phase)
def test_every_step_leads_where_the_table_says(phase: Phase) -> None:
    for step, expected in zip(STEPS.values(), TABLE[phase], strict=True):
        progress = at(phase)
        step(progress)
        assert progress.phase is expected
        assert (progress.failure is not None) is (expected is Phase.FAILED)


def test_what_was_announced_is_the_reason_unless_its_explanation_comes() -> None:
    for last in ("fail", "end", "end of body"):
        progress = at(Phase.FAILING)
        STEPS[last](progress)
        assert progress.failure is ANNOUNCED
    progress = at(Phase.FAILING)
    progress.fail(CUT, is_explanation=True)
    assert progress.failure is CUT


def test_content_is_never_forgotten() -> None:
    for last in ("announce", "end", "fail", "end of body"):
        progress = at(Phase.CONTENT)
        STEPS[last](progress)
        assert progress.has_content


def test_a_body_that_ends_early_says_how_far_the_answer_had_come() -> None:
    before, after = at(Phase.PREAMBLE), at(Phase.CONTENT)
    before.end_of_body()
    after.end_of_body()
    assert [str(progress.failure) for progress in (before, after)] == [
        "The upstream closed the stream before sending any content.",
        "The upstream closed the stream before the response was complete.",
    ]
