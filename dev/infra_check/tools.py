"""External tools: the offline type checkers, Terraform, checkov, JSON Schema."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.infra_check.evaluated import FOLDER, PARAMETERS, SNAPSHOT
from dev.infra_check.tree import Project, Skipped

TOOLS = Path(".venv-infra/bin")
SCHEMA = Path(__file__).with_name("azure.yaml.schema.json")
NOT_IN_TYPES = "# Not in the types:"
_DIAGNOSTIC = re.compile(r" : (?:Error|Warning|Info)\b")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_PRETENDED = (
    *("--subscription-id", "00000000-0000-0000-0000-000000000001"),
    *("--tenant-id", "00000000-0000-0000-0000-000000000002"),
    *("--location", "swedencentral", "--deployment-name", "main"),
)
"""Where the parameter sets are deployed to, which names and ids are made of."""
_TEMPLATE = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
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
    raise Skipped("no Bicep compiler here (BICEP, the PATH, az bicep install), so {}; public CI does it")


def _bicep(project: Project, unchecked: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the compiler; a $BICEP that is not there has failed. Without any, raise `Skipped`, saying what is unchecked."""
    try:
        compiler = _compiler()
    except Skipped as reason:
        raise Skipped(str(reason).format(unchecked)) from None
    if not compiler.exists():
        problem = f"BICEP is {os.environ['BICEP']}, and there is no such file"
        return subprocess.CompletedProcess([], 127, "", problem)
    return run([compiler, *arguments], project.root)


def bicep_build(project: Project) -> Iterator[str]:
    """`bicep build`, with the linter's rules of bicepconfig.json; a warning leaves its status 0, and counts as an error."""
    done = _bicep(project, "nothing was compiled", "build", "infra/main.bicep", "--stdout")
    findings = [line for line in done.stderr.splitlines() if _DIAGNOSTIC.search(line)]
    yield from (line.replace(f"{project.root.resolve()}{os.sep}", "") for line in findings)
    if not findings and (done.returncode or not done.stdout.startswith("{")):
        yield f"the compiler did not finish: {done.stderr.strip()[-300:]}"


def bicep_format(project: Project) -> Iterator[str]:
    """Check that `bicep format` would change no file."""
    with tempfile.TemporaryDirectory() as name:
        formatted = Path(name) / "infra"
        shutil.copytree(project.root / "infra", formatted, ignore=shutil.ignore_patterns(".terraform*"))
        done = _bicep(project, "no file's format was checked", "format", "--pattern", f"{formatted}/**/*.bicep")
        if done.returncode:
            yield f"bicep format failed: {done.stderr.strip()[-300:]}"
        for path in sorted(formatted.rglob("*.bicep")):
            original = project.root / "infra" / path.relative_to(formatted)
            if path.read_bytes() != original.read_bytes():
                yield f"{original.relative_to(project.root)} is not formatted: bicep format does it"


def bicep_evaluated(project: Project, mode: str = "validate") -> Iterator[str]:
    """Evaluate each parameter set, and report what differs from what is stored. `mode`: or "overwrite", to store it."""
    parameters = sorted((project.root / FOLDER).glob(f"*{PARAMETERS}"))
    stored = {path.name.removesuffix(SNAPSHOT) for path in (project.root / FOLDER).glob(f"*{SNAPSHOT}")}
    for case in (
        () if mode == "overwrite" else sorted(stored ^ {path.name.removesuffix(PARAMETERS) for path in parameters})
    ):
        yield f"{FOLDER}/{case} lacks its parameters or what they evaluate to"
    for path in parameters:
        unchecked = "what is stored of the evaluated deployments was not compared with infra/"
        done = _bicep(project, unchecked, "snapshot", path, "--mode", mode, *_PRETENDED)
        if mode == "overwrite" and not done.returncode:
            _order_outputs(path.with_name(path.name.replace(PARAMETERS, SNAPSHOT)))
        if done.returncode:
            changes = _COLOUR.sub("", done.stdout + done.stderr).strip()
            yield f"{FOLDER}/{path.name}: make check-infra STORE=1 stores what has changed:\n{changes[:2000]}"
        if _DIAGNOSTIC.search(done.stderr):
            return  # it does not compile, as all the others do not


def _order_outputs(snapshot: Path) -> None:
    """Sort the outputs, which the compiler writes in another order each time: a diff shows what has changed alone."""
    read = json.loads(snapshot.read_text(encoding="utf-8"))
    read["outputs"] = dict(sorted(read["outputs"].items()))
    snapshot.write_text(json.dumps(read, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


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
    with tempfile.TemporaryDirectory() as folder:
        _write_templates(project, Path(folder) / "evaluated")
        terraform = project.root / "infra/terraform"
        shutil.copytree(terraform, Path(folder) / "terraform", ignore=shutil.ignore_patterns(".terraform*"))
        done = run([program, "-d", folder, "--framework", "arm", "terraform", *options], project.root)
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


def _write_templates(project: Project, folder: Path) -> None:
    """Write what Bicep evaluates to as templates: checkov's own reader of Bicep knows neither imports nor types."""
    folder.mkdir()
    for case in {found.case for found in project.evaluated}:
        resources = [found.body for found in project.evaluated if found.case == case]
        template = {"$schema": _TEMPLATE, "contentVersion": "1.0.0.0", "resources": resources}
        (folder / f"{case}.json").write_text(json.dumps(template), encoding="utf-8")


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
