"""docs/deadlines.md says what the code does."""

import re
from importlib import import_module
from pathlib import Path

from shared.config.settings import DECLARATIONS
from tests.harness.cells import cells

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "deadlines.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!---|what waits)(.+?) \| (.+?) \| `([\w.]+)` \| (.+?) \|$", PAGE, re.MULTILINE)
SETTINGS = {one.name: one.kind.default for one in DECLARATIONS.values()}
NO_WAIT = {
    "shared.hosting.azure_monitor.METRICS_EVERY_SECONDS",
    "shared.hosting.exporter.COMPLAINT_SECONDS",
    "shared.hosting.telemetry.COMPLAINT_SECONDS",
    "shared.hosting.telemetry.LOOK_SECONDS",
    "shared.hosting.telemetry.PAUSE_SECONDS",
    "shared.hosting.telemetry.START_SECONDS",
    "shared.http.open_streams.SHORTEST_WINDOW_SECONDS",
    "shared.http.open_streams.WINDOW_PER_STREAM_SECONDS",
    "shared.limits.account.IDLE_SECONDS",
    "shared.limits.account.IDLE_STREAM_SECONDS",
    "shared.limits.account.LEASE_SECONDS",
    "shared.limits.account.LOOK_AGAIN_SECONDS",
    "shared.limits.account.RENEWAL_SECONDS",
    "shared.limits.ledger.FAILURE_SECONDS",
    "shared.limits.ledger.WRITE_SECONDS",
    "shared.limits.limiter.FAILURE_SECONDS",
    "shared.limits.limiter.TEND_SECONDS",
    "shared.limits.patience.TICK_SECONDS",
    "shared.limits.refusals.STREAMS_AGAIN_SECONDS",
    "shared.state.signing_key.FAILURE_SECONDS",
    "shared.telemetry.collector.METRICS_EVERY_SECONDS",
    "shared.telemetry.pace.PAUSE_SECONDS",
    "shared.telemetry.sender.COMPLAINT_SECONDS",
    "shared.telemetry.sender.SEND_EVERY_SECONDS",
    "shared.upstream.circuit.FIRST_PAUSE_SECONDS",
    "shared.upstream.circuit.LONGEST_PAUSE_SECONDS",
    "shared.upstream.identity.REFRESH_BEFORE_SECONDS",
    "shared.upstream.identity.REPLACE_SECONDS",
    "shared.upstream.identity.RETRY_REFRESH_SECONDS",
    "shared.upstream.identity.USABLE_SECONDS",
}
"""Durations that nobody waits for: of a cooldown, of a token, of a lease, of what runs in the background."""


def constants() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "shared").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        names = re.findall(
            r"^([A-Z]\w*_SECONDS|[A-Z]\w*_PER_SECOND) = ", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        found |= {f"{module}.{name}" for name in names}
    return found


def seconds(governed_by: str) -> float:
    if governed_by in SETTINGS:
        return float(SETTINGS[governed_by])
    module, _, name = governed_by.rpartition(".")
    return float(getattr(import_module(module), name))


@cells(("waits", "deadline", "governed_by", "gets"), ROWS, ids=[row[2] for row in ROWS])
def test_a_deadline_is_the_one_in_the_code(waits: str, deadline: str, governed_by: str, gets: str) -> None:
    (stated,) = re.findall(r"([\d.]+) (?:s\b|bytes/s)", deadline)
    assert float(stated) == seconds(governed_by)


def test_every_constant_and_every_setting_that_somebody_waits_for_has_its_row() -> None:
    expected = (constants() - NO_WAIT) | {name for name in SETTINGS if name.endswith("_SECONDS")}
    assert {row[2] for row in ROWS} == expected
    assert constants() >= NO_WAIT


def test_functiontimeout_is_the_one_that_is_deployed() -> None:
    assert '"functionTimeout": "00:30:00"' in (ROOT / "host.json").read_text(encoding="utf-8")
    assert "(30 minutes as deployed;" in PAGE
