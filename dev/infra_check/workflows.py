"""The rules of the workflows: every action pinned by commit, few permissions, no secrets."""

import re
from collections.abc import Iterator

from dev.infra_check.tree import Project

_USES = re.compile(r"^\s*(?:- )?uses:\s*(\S+)(.*)$")
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")


def workflows(project: Project) -> Iterator[str]:
    """Sentences about what breaks them."""
    paths = sorted((project.root / ".github" / "workflows").glob("*.yml"))
    if not paths:
        yield ".github/workflows has no workflow"
    for path in paths:
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(project.root).as_posix()
        if not re.search(r"^permissions:", text, re.MULTILINE):
            yield f"{name}: no permissions at the top: every job would get the default ones"
        if re.search(r"\bwrite-all\b|^permissions:\n(?:  .*\n)*?  [\w-]+: write", text, re.MULTILINE):
            yield f"{name}: a permission to write belongs to the one job that needs it"
        if re.search(r"\bsecrets\.", text):
            yield f"{name}: a secret; deployments sign in by OIDC"
        for number, line in enumerate(text.splitlines(), 1):
            used = _USES.match(line)
            if used and not (_PINNED.fullmatch(used.group(1)) and re.fullmatch(r"\s+# v[\d.]+", used.group(2))):
                yield f"{name}:{number}: {used.group(1)} is not pinned by commit, with its tag in a comment"
