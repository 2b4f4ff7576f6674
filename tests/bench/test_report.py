"""What the report says of its own numbers."""

from bench.report import concurrency
from bench.results import Results
from bench.roster import RELAY


def measured(held: int, tried: list[int]) -> Results:
    results = Results()
    results.add("capacity", RELAY, 0, held)
    results.delays[RELAY] = {number: [0.001] for number in tried}
    return results


def test_a_run_that_found_no_limit_gives_no_advice() -> None:
    assert concurrency(measured(4, [2, 4])) == (
        "This run held all the 4 streams that it tried, which is no limit and gives no advice."
    )


def test_the_advice_is_a_sixth_of_what_a_core_holds() -> None:
    assert "800 streams held on one core, so at most **125**" in concurrency(measured(800, [400, 800, 1000]))
