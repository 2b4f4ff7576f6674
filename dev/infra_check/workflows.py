"""Rules for workflows: what they use is pinned, minimal permissions, no secrets, a gate, every parameter passed on."""

import json
import re
from collections.abc import Iterator

from dev.infra_check.tree import Project

_USES = re.compile(r"^\s*(?:- )?uses:\s*(\S+)(.*)$")
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
_RAW_FILE = re.compile(r"raw\.githubusercontent\.com/[^/\s]+/[^/\s]+/(\S+)")
_AT_COMMIT = re.compile(r"[0-9a-f]{40}/\S+")
_DEPLOY = ".github/workflows/deploy.yml"
_VARIABLE = re.compile(r"\$\{(\w+)")
# azd sets the deploying principal.
_OF_AZD = frozenset({"AZURE_PRINCIPAL_ID", "AZURE_PRINCIPAL_TYPE"})
_EMPTY = {"]": "'[]'", "}": "'{}'"}
"""What an unset list or object is, by the last character of its type: `Account[]`, `{ *: string }`."""


def workflows(project: Project) -> Iterator[str]:
    """Report violations."""
    paths = sorted((project.root / ".github" / "workflows").glob("*.yml"))
    if not paths:
        yield ".github/workflows has no workflow"
    for path in paths:
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(project.root).as_posix()
        if not re.search(r"^permissions:", text, re.MULTILINE):
            yield f"{name}: no top-level permissions: every job would get the defaults"
        if re.search(r"\bwrite-all\b|^permissions:\n(?:  .*\n)*?  [\w-]+: write", text, re.MULTILINE):
            yield f"{name}: a permission to write belongs in the one job that needs it"
        if re.search(r"\bsecrets\.", text):
            yield f"{name}: uses a secret; deployments sign in by OIDC"
        for number, line in enumerate(text.splitlines(), 1):
            used = _USES.match(line)
            if used and not (_PINNED.fullmatch(used.group(1)) and re.fullmatch(r"\s+# v[\d.]+", used.group(2))):
                yield f"{name}:{number}: {used.group(1)} is not pinned by commit, with its tag in a comment"
            fetched = _RAW_FILE.search(line)
            if fetched and not _AT_COMMIT.fullmatch(fetched.group(1)):
                yield f"{name}:{number}: a file of another repository that is not pinned by commit: {fetched.group(1)}"
    if not re.search(r"^    environment: \w+$", (project.root / _DEPLOY).read_text(encoding="utf-8"), re.MULTILINE):
        yield f"{_DEPLOY}: the job has no environment: nobody would have to approve a deployment"
    yield from _parameters(project)


def _parameters(project: Project) -> Iterator[str]:
    """Report parameters that the deployment does not pass to azd: each would be reset to its default."""
    name = _DEPLOY
    text = (project.root / name).read_text(encoding="utf-8")
    types = {found.name: found.type[-1] for found in project.main("param")}
    given = json.loads((project.root / "infra" / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    for parameter, entry in given.items():
        for variable in set(_VARIABLE.findall(str(entry["value"]))) - _OF_AZD:
            passed = re.search(rf"^ +{variable}: \$\{{\{{ vars\.{variable}( \|\| '[^']*')? \}}\}}$", text, re.MULTILINE)
            if not passed:
                yield f"{name}: {variable} is not passed on: each deployment would reset {parameter} to its default"
            elif types.get(parameter) in _EMPTY and passed.group(1) != f" || {_EMPTY[types[parameter]]}":
                yield f"{name}: {variable} has to be {_EMPTY[types[parameter]]} where it is not set: azd reads it as JSON"
