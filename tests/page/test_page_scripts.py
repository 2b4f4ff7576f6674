"""The page's scripts under Node: their own tests, and their types."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.node

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "shared" / "page"
TYPESCRIPT = "typescript@7.0.2"
NPM_SECONDS = 120


def run(*command: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=NPM_SECONDS, check=False)


@pytest.mark.skipif(
    shutil.which("node") is None, reason="the page's own script tests need Node.js: apt-get install nodejs"
)
def test_the_modules_pass_their_own_tests() -> None:
    scripts = sorted(str(path) for path in HERE.glob("*.test.mjs"))
    assert scripts
    # In one process: `node --test` starts one for each file.
    done = run(
        "node", "--input-type=module", "--eval", "".join(f"import {json.dumps(path)};" for path in scripts), cwd=HERE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.findall(r"^# pass (\d+)$", done.stdout, re.MULTILINE)[0]) > len(scripts)


@pytest.mark.skipif(shutil.which("npx") is None, reason="the page's type check needs npx: apt-get install nodejs npm")
def test_the_types_are_consistent() -> None:
    tsc = ("npx", "--yes", "--package", TYPESCRIPT, "tsc")
    done = run(*tsc, "--project", str(PAGE), cwd=HERE)
    if done.returncode != 0 and (available := run(*tsc, "--version", cwd=HERE)).returncode != 0:
        pytest.skip(
            f"the page's type check needs {TYPESCRIPT} from npm, which is not available: {available.stderr[-200:]}"
        )
    assert done.returncode == 0, done.stdout
