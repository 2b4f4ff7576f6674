"""What runs the streams: this app, and what one would take otherwise, with the capacity that docs/performance.md measured."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.cost.simulation import Rules

ROOT = Path(__file__).resolve().parents[2]
SPARE = 6
"""A platform is given a sixth of the streams that it held on a core: docs/performance.md, "Choosing the concurrency"."""
CORES_OF_MB = {512: 0.25, 2048: 1.0, 4096: 2.0}
QUOTA_CORES = 250
"""Of a region and subscription, for all Flex Consumption apps, unless it is raised."""
_HELD = re.compile(r"^\| ([^|]+?) \| (?:at least )?(\d+)(?: \([^)]*\))? \| \d+% \|", re.MULTILINE)
_STORED = ROOT / "tests/infra/evaluated/defaults.snapshot.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One way to serve the answers; `is_container`: billed by replicas, at least one, not by what executes."""

    title: str
    rules: Rules
    memory_mb: int = 2048
    is_container: bool = False


def held_streams(page: Path = ROOT / "docs" / "performance.md") -> dict[str, int]:
    """Return the streams that each subject of the benchmark held on one core, by its title."""
    block = (
        page.read_text(encoding="utf-8").partition("<!-- bench:streams -->")[2].partition("<!-- /bench:streams -->")[0]
    )
    return {title: int(held) for title, held in _HELD.findall(block)}


def template_defaults() -> Mapping[str, Any]:
    """Return `scaleAndConcurrency` as the template deploys it by default."""
    resources = json.loads(_STORED.read_text(encoding="utf-8"))["predictedResources"]
    (site,) = (one for one in resources if one["type"] == "Microsoft.Web/sites")
    found: Mapping[str, Any] = site["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    return found


def default_platform() -> Platform:
    """Return this app as the template deploys it."""
    scale = template_defaults()
    rules = Rules(
        concurrency=scale["triggers"]["http"]["perInstanceConcurrency"],
        maximum=scale["maximumInstanceCount"],
        always_ready=sum(one["instanceCount"] for one in scale["alwaysReady"]),
    )
    return Platform(title="this app, the template's defaults", rules=rules, memory_mb=scale["instanceMemoryMB"])


def alternatives() -> list[Platform]:
    """Return the other ways: the platform's default concurrency, the official sample, LiteLLM on a container."""
    held = held_streams()
    found = [
        Platform(title="this app, concurrency 1 (the platform's default)", rules=Rules(concurrency=1, maximum=1000))
    ]
    if sample := held.get("official sample"):
        found.append(Platform(title="official sample", rules=Rules(concurrency=max(1, sample // SPARE), maximum=1000)))
    if litellm := held.get("LiteLLM proxy"):
        rules = Rules(concurrency=max(1, litellm // SPARE), maximum=1000, always_ready=1)
        found.append(Platform(title="LiteLLM on Container Apps, 1 vCPU", rules=rules, is_container=True))
    return found
