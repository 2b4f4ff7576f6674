"""The two places where a read may take only so long: what explains a failure, and what follows an ending."""

from collections.abc import Sequence

import pytest

from shared.errors import UpstreamCut
from shared.upstream.reading import EXPLANATION_SECONDS
from tests.harness.app import ask_in
from tests.harness.caller import Received
from tests.harness.cells import cells
from tests.harness.frames import ERROR
from tests.harness.upstream import FOREVER, Says, Step
from tests.worker.ways import Outcome

UNEXPLAINED = {**ERROR, "code": "server_error", "message": "Unexplained."}
LAST_MOMENT_SECONDS = 0.25


@cells(
    ("then", "seconds", "code"),
    [
        ([], 0.0, None),
        ([FOREVER], EXPLANATION_SECONDS, None),
        ([UpstreamCut("It broke.")], 0.0, None),
        ([0.5, b'event: error\ndata: {"type":"error","error":{"code":"why"}}\n\n'], 0.5, "why"),
    ],
    ids=["a clean end", "silence", "a cut", "a little later"],
)
def test_an_announced_failure_waits_a_second_for_what_explains_it(
    then: Sequence[Step], seconds: float, code: str | None
) -> None:
    def failed(after: Sequence[Step]) -> Received:
        announced = Says(then=lambda frames: [*frames.error(UNEXPLAINED, "failed_first")[:1], *after])
        return ask_in("responses", [announced])[2]

    received = failed(then)
    assert received.ended_at - failed([]).ended_at == pytest.approx(seconds)
    assert received.body.count(b'"type":"response.failed"') == 1
    assert code is None or code.encode() in received.body


@cells(
    ("late", "seconds"),
    [
        ([], 0.0),
        ([0.1, b": late\n\n", 0.1], 0.2),
        ([FOREVER], LAST_MOMENT_SECONDS),
        ([0.1, UpstreamCut("It broke.")], 0.1),
    ],
    ids=["a clean end", "late bytes", "silence", "a cut"],
)
@cells("way", ["openai chat", "chat sse", "responses"])
def test_a_finished_answer_waits_a_moment_for_the_upstreams_own_end_and_never_fails(
    way: str, late: Sequence[Step], seconds: float
) -> None:
    outcome, _, received = ask_in(way, [Says(then=lambda frames: [*frames.ending(), *late])])
    assert outcome == Outcome("finished", words="Hello you")
    assert received.ended_at == pytest.approx(seconds)
    assert b"late" not in received.body
