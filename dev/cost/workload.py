"""What callers ask for: how many answers, how long, and when."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
SHAPES = {
    "flat": (1.0,) * 24,
    "office": (1, 1, 1, 1, 1, 2, 5, 15, 40, 70, 85, 95, 100, 95, 95, 90, 80, 60, 40, 25, 15, 8, 4, 2),
    "consumer": (20, 12, 8, 5, 4, 5, 10, 20, 30, 38, 45, 52, 60, 60, 58, 58, 62, 70, 80, 92, 100, 95, 75, 45),
}
"""Answers of each hour, relative to the busiest. Assumed shapes, not measured ones."""
SPREAD = 0.8
"""Standard deviation of the logarithm of an answer's length: a few answers are many times as long as most."""
BURST_FACTOR = 3.0
BURST_SECONDS = 60
BURSTS_A_DAY = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A day. `first_seconds`: until the model's first token; `tokens_a_second`: from there on."""

    answers: int = 200_000
    input_tokens: float = 1_000.0
    output_tokens: float = 400.0
    first_seconds: float = 1.0
    tokens_a_second: float = 50.0
    shape: str = "office"
    bursts: int = BURSTS_A_DAY

    @property
    def mean_seconds(self) -> float:
        """Return how long an answer is open, on average."""
        return self.first_seconds + self.output_tokens / self.tokens_a_second

    def rate(self, hour: int) -> float:
        """Return answers a second in an hour of the day, without bursts."""
        weights = SHAPES[self.shape]
        return self.answers * weights[hour] / sum(weights) / HOUR_SECONDS

    def seconds_of_an_answer(self, chance: random.Random) -> float:
        """Return how long one answer is open: a lognormal length around the mean."""
        mean = math.log(self.output_tokens) - SPREAD**2 / 2
        return self.first_seconds + chance.lognormvariate(mean, SPREAD) / self.tokens_a_second

    def arrivals(self, chance: random.Random, begin: float = 0.0, end: float = DAY_SECONDS) -> Iterator[float]:
        """Yield the seconds of the day at which answers are asked for. Bursts triple the rate for a minute."""
        bursts = {chance.randrange(DAY_SECONDS // BURST_SECONDS) for _ in range(self.bursts)}
        for minute in range(int(begin // BURST_SECONDS), math.ceil(end / BURST_SECONDS)):
            at = float(minute * BURST_SECONDS)
            rate = self.rate(int(at // HOUR_SECONDS)) * (BURST_FACTOR if minute in bursts else 1.0)
            while (at := at + chance.expovariate(rate)) < (minute + 1) * BURST_SECONDS:
                yield at
