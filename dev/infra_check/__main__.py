"""`python -m dev.infra_check`: one line for each check, and exit status 1 when one has failed."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dev.infra_check import policy, tools, twin
from dev.infra_check.checklist import checklist
from dev.infra_check.order import order
from dev.infra_check.scanner import Malformed
from dev.infra_check.setting_lists import setting_lists
from dev.infra_check.tree import Project, Skipped
from dev.infra_check.twin_limits import twin_limits
from dev.infra_check.twin_parts import twin_parts
from dev.infra_check.twin_roles import twin_roles
from dev.infra_check.workflows import workflows

CHECKS: dict[str, Callable[[Project], Iterator[str]]] = {
    "bicep build": tools.bicep_build,
    "bicep types": tools.bicep_types,
    "terraform types": tools.terraform_types,
    "terraform format": tools.terraform_format,
    "schemas": tools.schemas,
    "workflows": workflows,
    "settings": setting_lists,
    "keyless": policy.keyless,
    "roles": policy.roles,
    "checklist": checklist,
    "streams": policy.streams,
    "order": order,
    "descriptions": policy.readable,
    "twin resources": twin.resources,
    "twin properties": twin.properties,
    "twin parts": twin_parts,
    "twin roles": twin_roles,
    "twin parameters": twin.parameters,
    "twin limits": twin_limits,
    "twin outputs": twin.outputs,
    "checkov": tools.checkov,
}


def main(root: Path) -> int:
    """Runs every check and prints what it says."""
    try:
        project = Project.read(root)
    except Malformed as error:
        print(f"failed   reading: {error}")
        return 1
    failed, skipped = 0, 0
    for name, check in CHECKS.items():
        try:
            problems = list(check(project))
        except Skipped as reason:
            print(f"skipped  {name}: {reason}", flush=True)
            skipped += 1
            continue
        failed += bool(problems)
        print(f"failed   {name}:" if problems else f"ok       {name}", flush=True)
        for problem in problems:
            print(f"           {problem}")
    verdict = f"{failed} of {len(CHECKS)} checks failed" if failed else "infra/ is in order"
    print(f"{verdict}; {skipped} could not be made here, as said above" if skipped else verdict)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd()))
