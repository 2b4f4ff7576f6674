"""The files in a document, and how they are run: unchanged but for the address."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app_process import ROOT
from tests.node.toolchain import HERE as NODE_TESTS
from tests.node.toolchain import MISSING, find_node

FENCE = re.compile(r"^```(?P<language>\w+) (?P<name>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LOCAL = "http://127.0.0.1:7071"


def recipes(document: str) -> dict[str, str]:
    """Return each file of a document, by its name."""
    return {match["name"]: match["code"] for match in FENCE.finditer((ROOT / document).read_text("utf-8"))}


def command(name: str) -> list[str]:
    """Return the command for this type of file. Skip the test if it is not installed."""
    if name.endswith(".py"):
        return [sys.executable]
    if name.endswith(".mjs"):
        node = find_node()
        if node is None:
            pytest.skip(MISSING)
        node.install()
        return [node.node]
    bash = shutil.which("bash") if shutil.which("curl") else None
    if bash is None:
        pytest.skip("needs bash and curl")
    return [bash, "-e"]


def run(name: str, files: dict[str, str], url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run one of the files, with all of them next to it."""
    runner = command(name)
    for file, code in files.items():
        (folder / file).write_text(code.replace(LOCAL, url), "utf-8")
    if name.endswith(".mjs"):
        (folder / "node_modules").symlink_to(NODE_TESTS / "node_modules")
    env = {**os.environ, "STREAM_KEY": "unused", "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [*runner, name], cwd=folder, env=env, capture_output=True, text=True, encoding="utf-8", timeout=30, check=False
    )


def kinds(names: list[str]) -> list[object]:
    """Return the names as parameters; what needs Node.js is marked."""
    return [pytest.param(name, marks=pytest.mark.node) if name.endswith(".mjs") else name for name in names]
