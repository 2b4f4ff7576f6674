"""`python -m dev.infra_check`: print one line per check; exit with status 1 if one fails."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from dev.infra_check import parity, policy, tools
from dev.infra_check.checklist import checklist
from dev.infra_check.order import order
from dev.infra_check.parity_limits import parity_limits
from dev.infra_check.parity_parts import parity_parts
from dev.infra_check.parity_roles import parity_roles
from dev.infra_check.scanner import Malformed
from dev.infra_check.setting_lists import setting_lists
from dev.infra_check.tree import Project, Skipped
from dev.infra_check.workflows import workflows

CHECKS: dict[str, Callable[[Project], Iterator[str]]] = {
    "bicep build": tools.bicep_build,
    "bicep format": tools.bicep_format,
    "bicep evaluated": tools.bicep_evaluated,
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
    "parity resources": parity.resources,
    "parity properties": parity.properties,
    "parity parts": parity_parts,
    "parity roles": parity_roles,
    "parity parameters": parity.parameters,
    "parity limits": parity_limits,
    "parity outputs": parity.outputs,
    "checkov": tools.checkov,
}


def main(root: Path, *, store: bool = False) -> int:
    """Run every check, print the results, and return the exit status. `store`: first store what Bicep evaluates to."""
    try:
        project = Project.read(root)
        if store:
            print(*tools.bicep_evaluated(project, "overwrite"), sep="\n")
            project = Project.read(root)
    except (Malformed, Skipped) as error:
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
    summary = f"{failed} of {len(CHECKS)} checks failed" if failed else "infra/ is in order"
    print(f"{summary}; {skipped} skipped" if skipped else summary)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path.cwd(), store="--store" in sys.argv[1:]))
