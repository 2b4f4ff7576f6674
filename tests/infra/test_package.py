"""What is deployed: the app, and nothing that is only good for its development or that may hold a secret."""

import subprocess
from fnmatch import fnmatch

import pytest

from tests.infra.planting import ROOT

PATTERNS = (ROOT / ".funcignore").read_text(encoding="utf-8").split()


def is_ignored(path: str) -> bool:
    return any(fnmatch(part, pattern) for part in path.split("/") for pattern in PATTERNS)


def test_the_patterns_are_plain_names() -> None:
    assert not [pattern for pattern in PATTERNS if "/" in pattern or pattern.startswith(("!", "#"))]


def test_of_what_is_committed_the_app_alone_is_deployed() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    deployed = {path for path in listed if not is_ignored(path)}
    assert {path for path in deployed if not path.startswith("shared/")} == {
        "function_app.py",
        "host.json",
        "requirements.txt",
    }
    left_out = {path for path in listed if path.startswith("shared/")} - deployed
    assert [path for path in left_out if not path.endswith(".md")] == []


@pytest.mark.parametrize("path", [".env", ".env.local", "local.settings.json", ".azure/chat/.env", "infra/terraform/terraform.tfstate"])
def test_what_may_hold_a_secret_is_not_deployed(path: str) -> None:
    assert is_ignored(path)
