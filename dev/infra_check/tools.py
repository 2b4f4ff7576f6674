"""External tools: the offline type checkers, Terraform, checkov, JSON Schema."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.infra_check.tree import Project, Skipped

TOOLS = Path(".venv-infra/bin")
SCHEMA = Path(__file__).with_name("azure.yaml.schema.json")
NOT_IN_TYPES = "# Not in the types:"
_DIAGNOSTIC = re.compile(r" : (?:Error|Warning|Info)\b")
_REASONED = re.compile(r"^skip-check:\n((?:  [#-].*\n)+)", re.MULTILINE)


def run(command: Sequence[object], where: Path) -> subprocess.CompletedProcess[str]:
    """Run a program and return its output; do not raise for its exit status."""
    return subprocess.run([str(part) for part in command], cwd=where, capture_output=True, text=True, check=False)


def _checkers() -> Path:
    """Return the directory of the offline checkers, which are not part of this repository. Raise `Skipped` without them."""
    directory = Path(os.environ.get("INFRA_CHECK_DIR", "../shared/infra-check"))
    if not (directory / "bicepcheck.py").exists():
        raise Skipped("offline checkers not found (INFRA_CHECK_DIR); CI compiles instead")
    return directory.resolve()


def _compiler() -> Path:
    """The Bicep compiler: $BICEP, the PATH's, the Azure CLI's own. Raise `Skipped` where there is none."""
    named = os.environ.get("BICEP")
    if named:
        return Path(named).resolve()
    on_path = shutil.which("bicep")
    for found in (on_path, Path.home() / ".azure/bin/bicep", "../shared/bicep/bicep"):
        if found and Path(found).exists():
            return Path(found).resolve()
    raise Skipped(
        "no Bicep compiler here (BICEP, the PATH, az bicep install), so nothing was compiled; public CI does it"
    )


def bicep_build(project: Project) -> Iterator[str]:
    """`bicep build`, with the linter's rules of bicepconfig.json; a warning leaves its status 0, and counts as an error."""
    compiler = _compiler()
    if not compiler.exists():
        yield f"BICEP is {os.environ['BICEP']}, and there is no such file"
        return
    done = run([compiler, "build", "infra/main.bicep", "--stdout"], project.root)
    findings = [line for line in done.stderr.splitlines() if _DIAGNOSTIC.search(line)]
    yield from (line.replace(f"{project.root.resolve()}{os.sep}", "") for line in findings)
    if not findings and (done.returncode or not done.stdout.startswith("{")):
        yield f"the compiler did not finish: {done.stderr.strip()[-300:]}"


def bicep_types(project: Project) -> Iterator[str]:
    """Check syntax, symbols, and every property against the Bicep compiler's type data. Warnings are errors."""
    checkers = _checkers()
    program = [sys.executable, checkers / "bicepcheck.py", "--types", checkers / "azure_types.json.gz", "infra"]
    yield from _findings(run(program, project.root))


def terraform_types(project: Project) -> Iterator[str]:
    """Check every argument against the provider's schema, and azapi bodies against the Bicep compiler's type data.

    A property below a comment that begins with `NOT_IN_TYPES` is known to be missing there, as Bicep says with BCP037.
    """
    checkers = _checkers()
    schemas = sorted(checkers.glob("azurerm-*.json.gz"))
    types = ["--arm-types", checkers / "azure_types.json.gz"]
    program = [sys.executable, checkers / "tfcheck.py", "--schema", schemas[-1], *types, "infra/terraform"]
    done = run(program, project.root)
    known = {line for line in done.stdout.splitlines() if _is_known(project.root, line)}
    yield from (finding for finding in _findings(done) if finding not in known)


def _is_known(root: Path, finding: str) -> bool:
    place = re.match(r"(?P<file>[^:]+\.tf):(?P<line>\d+): error: azapi body: The property ", finding)
    if place is None:
        return False
    above = (root / place["file"]).read_text(encoding="utf-8").splitlines()[int(place["line"]) - 2]
    return above.strip().startswith(NOT_IN_TYPES)


def _findings(done: subprocess.CompletedProcess[str]) -> Iterator[str]:
    findings = [line for line in done.stdout.splitlines() if re.search(r": (error|warning)\b", line)]
    yield from findings
    if not findings and (done.returncode or " 0 errors, 0 warnings" not in done.stdout):
        yield f"the checker failed: {(done.stderr or done.stdout).strip()[-300:]}"


def terraform_format(project: Project) -> Iterator[str]:
    """Check formatting with `terraform fmt`."""
    if shutil.which("terraform") is None:
        raise Skipped("terraform not found; CI runs fmt, init and validate")
    done = run(["terraform", "fmt", "-check", "-recursive", "-no-color", "infra/terraform"], project.root)
    for name in done.stdout.split():
        yield f"{name} is not formatted: terraform fmt -recursive infra/terraform"
    if done.returncode and not done.stdout.strip():
        yield f"terraform fmt failed: {done.stderr.strip()[-300:]}"


def checkov(project: Project) -> Iterator[str]:
    """Run checkov on both trees. Each finding needs a reason in infra/.checkov.yaml, and each reason a finding."""
    skips, unexplained = reasoned_skips(project.root)
    yield from (f"infra/.checkov.yaml: {check} has no reason above it" for check in unexplained)
    program = project.root / TOOLS / "checkov"
    if not program.exists():
        yield f"{TOOLS}/checkov is missing: `make check-infra` failed to install it from PyPI"
        return
    # Skips of the command line replace those of .checkov.yaml, so that all findings are reported here.
    options = ["--skip-check", "CKV_NONE", "--skip-download", "--compact", "-o", "json"]
    done = run([program, "-d", "infra", "--framework", "bicep", "terraform", *options], project.root)
    try:
        reports = json.loads(done.stdout)
    except ValueError:
        yield f"checkov failed: {done.stderr.strip()[-300:]}"
        return
    found: set[str] = set()
    for report in reports if isinstance(reports, list) else [reports]:
        yield from (f"checkov cannot read {path}" for path in report["results"]["parsing_errors"])
        for failure in report["results"]["failed_checks"]:
            found.add(failure["check_id"])
            if failure["check_id"] not in skips:
                yield f"infra{failure['file_path']}: {failure['check_id']} {failure['check_name']} ({failure['resource']})"
    yield from (f"infra/.checkov.yaml skips {check}, which checkov no longer finds" for check in sorted(skips - found))


def reasoned_skips(root: Path) -> tuple[frozenset[str], list[str]]:
    """Return the checks skipped in .checkov.yaml, and those of them without a comment above them or their group of lines."""
    text = (root / "infra" / ".checkov.yaml").read_text(encoding="utf-8")
    listed = _REASONED.search(text)
    skips: set[str] = set()
    unexplained: list[str] = []
    has_reason = False
    was_check = False
    for line in listed.group(1).splitlines() if listed else ():
        if line.startswith("  #"):
            has_reason, was_check = True, False
        else:
            check = line.removeprefix("  -").strip()
            skips.add(check)
            if not has_reason and not was_check:
                unexplained.append(check)
            was_check = has_reason
    return frozenset(skips), unexplained


def schemas(project: Project) -> Iterator[str]:
    """Check azure.yaml and the workflows against their JSON Schemas, and that every JSON file of infra/ parses."""
    for path in sorted((project.root / "infra").rglob("*.json")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            yield f"{path.relative_to(project.root)}: {error}"
    program = project.root / TOOLS / "check-jsonschema"
    if not program.exists():
        yield f"{TOOLS}/check-jsonschema is missing: `make check-infra` failed to install it from PyPI"
        return
    workflows = sorted(path.relative_to(project.root) for path in (project.root / ".github/workflows").glob("*.yml"))
    azure_yaml = run([program, "--schemafile", SCHEMA, "azure.yaml"], project.root)
    for done in (azure_yaml, run([program, "--builtin-schema", "vendor.github-workflows", *workflows], project.root)):
        if done.returncode:
            yield " ".join((done.stdout + done.stderr).split())
