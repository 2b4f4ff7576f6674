"""What azd shows after `azd up`: the address, and lines that work when they are pasted."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.infra.planting import ROOT

DEPLOYED = {
    "SERVICE_API_URI": "https://func-x.azurewebsites.net",
    "AZURE_FUNCTION_NAME": "func-x",
    "AZURE_RESOURCE_GROUP": "rg-chat",
    "AZURE_KEY_VAULT_NAME": "",
    "AUTH_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
}
TOOL = """#!/bin/sh
printf '%s\\n' "$(basename "$0") $*" >> "$LOG"
[ "$(basename "$0")" = az ] && echo a-secret
exit 0
"""


def hook(**env: str) -> str:
    """What it prints."""
    done = subprocess.run(
        ["sh", "infra/hooks/postup.sh"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]} | DEPLOYED | env,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert not done.stderr
    return done.stdout


def paste(lines: str, folder: Path) -> list[str]:
    """The programs that the indented lines start."""
    for name in ("az", "curl"):
        (folder / name).write_text(TOOL)
        (folder / name).chmod(0o755)
    log = folder / "log"
    pasted = "\n".join(re.findall(r"^  (.*)$", lines, re.MULTILINE))
    env = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "LOG": str(log), "KEY": "my-key"}
    subprocess.run(["sh", "-eu", "-c", pasted], env=env, check=True, timeout=30)
    return log.read_text().splitlines()


CALL = 'curl -N https://func-x.azurewebsites.net/chat -H content-type: application/json -d {"input":"hi"}'


@pytest.mark.parametrize(
    ("mode", "fetched", "header"),
    [
        ("", "az functionapp keys list --name func-x --resource-group rg-chat", "x-functions-key: a-secret"),
        ("function", "az functionapp keys list --name func-x --resource-group rg-chat", "x-functions-key: a-secret"),
        ("keys", None, "authorization: Bearer my-key"),
        (
            "entra",
            f"az account get-access-token --resource {DEPLOYED['AUTH_CLIENT_ID']}",
            "authorization: Bearer a-secret",
        ),
        ("anonymous", None, None),
    ],
)
def test_the_lines_ask_the_app_as_its_authentication_needs_it(
    mode: str, fetched: str | None, header: str | None, tmp_path: Path
) -> None:
    printed = hook(AUTH_MODE=mode) if mode else hook()
    assert "Deployed: https://func-x.azurewebsites.net\n" in printed
    assert "a-secret" not in printed
    *before, called = paste(printed, tmp_path)
    assert called == (f"{CALL} -H {header}" if header else CALL)
    assert [line.startswith(fetched or "") for line in before] == ([True] if fetched else [])
