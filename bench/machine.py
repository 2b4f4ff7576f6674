"""The context of a run, for the page: machine, versions, date, command."""

import datetime as dt
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

from bench.peers import LITELLM, nginx_path
from bench.processes import MEASURED_CORE

PACKAGES = ("azure-functions-runtime", "uvloop", "uvicorn", "httptools", "fastapi", "starlette", "openai", "aiohttp")


def about(command: str, *, load: float, minutes: float) -> str:
    """Return a Markdown list."""
    cores = len(os.sched_getaffinity(0)) if MEASURED_CORE is None else os.cpu_count()
    pinned = "the measured process on one core, everything else on another" if MEASURED_CORE is not None else "one core"
    system = f"Linux {platform.release().partition('-')[0]}"
    versions = ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    return "\n".join(
        [
            f"- {dt.datetime.now(dt.UTC):%Y-%m-%d}, `{command}`, {minutes:.0f} minutes",
            f"- {_processor()}, {cores} cores, {system}; {pinned}; load of the machine before the run {load:.2f}",
            f"- Python {platform.python_version()}, {versions}{_nginx()}{_litellm()}",
        ]
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "?"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _nginx() -> str:
    path = nginx_path()
    if path is None:
        return ""
    output = subprocess.run([path, "-v"], capture_output=True, text=True, check=False).stderr
    found = re.search(r"nginx/(\S+)", output)
    return f", nginx {found[1]}" if found else ""


def _litellm() -> str:
    found = [path.name for path in LITELLM.parents[1].glob("lib/*/site-packages/litellm-*.dist-info")]
    return f", LiteLLM {found[0].split('-')[1].removesuffix('.dist')}" if found else ""
