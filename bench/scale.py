"""The size of a run: durations and counts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The durations and counts of one run."""

    rounds: int = 5
    streams: int = 30
    paced_seconds: float = 4.0
    unpaced_streams: int = 4
    unpaced_chunks: int = 2000
    requests: int = 300
    requests_at_once: int = 4
    first_tokens: int = 300
    capacity_rounds: int = 3
    levels: tuple[int, ...] = (
        *(10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 125, 150, 200, 250, 300, 350, 400, 450, 500, 600, 800, 1000),
    )
    level_seconds: float = 2.0
    settle_seconds: float = 0.6
    memory_rounds: int = 3
    few_open: int = 50
    many_open: int = 250
    few_finished: int = 500
    many_finished: int = 2000
    cold_rounds: int = 5


FULL = Scale()
QUICK = Scale(
    rounds=1,
    streams=3,
    paced_seconds=0.3,
    unpaced_streams=1,
    unpaced_chunks=100,
    requests=8,
    first_tokens=8,
    capacity_rounds=1,
    levels=(2, 4),
    level_seconds=0.3,
    settle_seconds=0.2,
    memory_rounds=1,
    few_open=2,
    many_open=6,
    few_finished=10,
    many_finished=30,
    cold_rounds=1,
)
"""To test the benchmark itself; the results are meaningless."""
