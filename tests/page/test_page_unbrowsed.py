"""The output of `make test` on a machine without a browser."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_skipped_browser_tests_say_what_to_install(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        str(HERE / "test_page_deployments.py"),
        "-k",
        "prefix",
    ]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CHROMIUM"))}
    env["PATH"] = str(tmp_path)
    done = subprocess.run(
        command, cwd=HERE.parents[1], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
    assert "the page's tests need a browser: apt-get install chromium" in done.stdout
