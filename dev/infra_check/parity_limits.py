"""Parity of parameter constraints."""

import re
from collections.abc import Iterator

from dev.infra_check.terraform import blocks_of
from dev.infra_check.tree import Project, snake

_LIMIT = re.compile(r"(?:minValue|maxValue)\((-?\d+)\)|'([^']*)'|(?<=[\s\[])(\d+)(?=[\s\]])")


def parity_limits(project: Project) -> Iterator[str]:
    """Report allowed, minimum and maximum values of Bicep's decorators that Terraform's validation does not have."""
    variables = {block.address: block for block in blocks_of(project.terraform, "variable")}
    for found in project.main("param"):
        block = variables.get(snake(found.name))
        if block is None:
            continue  # reported by the comparison of parameters
        condition = str(block.at("validation.condition") or "")
        for decorator in found.decorators:
            if not decorator.startswith(("allowed(", "minValue(", "maxValue(")):
                continue
            limits = {limit for match in _LIMIT.findall(decorator) for limit in match if limit}
            missing = sorted(limits - set(re.findall(r"-?\w[\w.]*", condition)))
            if missing:
                yield f"{block.place}: the validation of {block.address} lacks {', '.join(missing)}, which Bicep has"
