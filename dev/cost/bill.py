"""From a day to the month's bill, part by part."""

from dataclasses import dataclass

from dev.cost.platforms import Platform
from dev.cost.prices import Prices
from dev.cost.simulation import Day
from dev.cost.workload import DAY_SECONDS, Workload

DAYS = 30
RECEIPT_BYTES = 600
"""Of an answer's receipt, as JSON: 566 measured, with one attempt. What the host logs of itself comes on top, uncounted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Of thirty such days, in the currency of the prices. None: a price that nobody has said."""

    compute: float
    executions: float
    ready: float | None
    model: float
    telemetry: float
    storage: float | None

    @property
    def total(self) -> float:
        """Return the sum of what has a price."""
        parts = (self.compute, self.executions, self.ready, self.model, self.telemetry, self.storage)
        return sum(part for part in parts if part is not None)

    @property
    def platform(self) -> float:
        """Return the sum without the model."""
        return self.total - self.model


def bill(workload: Workload, platform: Platform, day: Day, prices: Prices) -> Bill:
    """Compute the month. Raise `ValueError` for a needed price that is not known."""
    answers = workload.answers * DAYS
    model = answers / 1e6 * workload.input_tokens * prices.known("model_million_input")
    model += answers / 1e6 * workload.output_tokens * prices.known("model_million_output")
    logged = max(0.0, answers * RECEIPT_BYTES / 1e9 - prices.known("logs_free_gb"))
    gigabytes = platform.memory_mb / 1024
    if platform.is_container:
        second = prices.known("container_vcpu_second") + gigabytes * prices.known("container_gib_second")
        ready: float | None = 0.0
        compute, executions = day.existing_seconds * DAYS * second, 0.0
    else:
        used = max(0.0, day.instance_seconds * DAYS * gigabytes - prices.known("flex_free_gb_seconds"))
        counted = max(0.0, answers - prices.known("flex_free_executions"))
        compute = used * prices.known("flex_gb_second")
        executions = counted / 1e6 * prices.known("flex_million_executions")
        baseline = platform.rules.always_ready * DAY_SECONDS * DAYS * gigabytes
        price = prices.of("flex_ready_gb_second")
        ready = 0.0 if not baseline else None if price is None else baseline * price
    return Bill(
        compute=compute,
        executions=executions,
        ready=ready,
        model=model,
        telemetry=logged * prices.known("logs_gb"),
        storage=prices.of("storage_month"),
    )
