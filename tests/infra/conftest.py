"""A copy of what describes the deployment, to plant errors in; and the deployment as values, by Terraform's own program."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from dev.infra_check.evaluated import FOLDER
from tests.infra.planting import ROOT
from tests.infra.samples import ACCOUNT, CLIENT_ID

TERRAFORM = ROOT / "infra" / "terraform"
# What Azure alone knows is a plain value.
STAND_INS = (
    (r"data\.azapi_resource\.existing_open_ai\[0\]\.output\.properties\.endpoint", '"https://mine.openai.azure.com/"'),
    (r"azurerm_cognitive_account\.account\[account\.name\]\.endpoint", '"https://${account.name}.openai.azure.com/"'),
    (r"azurerm_cognitive_account\.account\[account\.name\]\.id", f'"{ACCOUNT}/${{account.name}}"'),
    (r"azurerm_user_assigned_identity\.identity\.client_id", f'"{CLIENT_ID}"'),
    (r"\$\{(?:data\.)?azurerm_\w+\.\w+(?:\[\w+\])?\.\w+\}", "value"),
    (r"(?:data\.)?azurerm_\w+\.\w+(?:\[\w+\])?\.\w+", '"value"'),
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of the project that the checks read, in a directory of their own."""
    for directory in ("infra", ".github", FOLDER):
        shutil.copytree(ROOT / directory, tmp_path / directory, ignore=shutil.ignore_patterns(".terraform*"))
    (tmp_path / "docs").mkdir()
    for name in ("azure.yaml", "local.settings.json.example", "docs/reference.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def evaluated(tmp_path: Path) -> Any:
    """A function from variables to the values of the locals and of the site's body."""
    if shutil.which("terraform") is None:
        pytest.skip("no terraform here")
    texts = [(TERRAFORM / "variables.tf").read_text(encoding="utf-8")]
    for path in TERRAFORM.glob("*.tf"):
        texts += re.findall(r"^locals \{\n.*?^\}\n", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    site = re.search(
        r"^  body = (\{\n.*?^  \})\n", (TERRAFORM / "function.tf").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert site
    text = "\n".join([*texts, f"locals {{\n  site = {site.group(1)}\n}}\n"])
    for pattern, stand_in in STAND_INS:
        text = re.sub(pattern, stand_in.replace("\\", r"\\"), text)
    (tmp_path / "main.tf").write_text(text, encoding="utf-8")

    def evaluate(**variables: Any) -> Any:
        given = {"environment_name": "chat", "location": "swedencentral"} | variables
        (tmp_path / "terraform.tfvars.json").write_text(json.dumps(given), encoding="utf-8")
        names = (
            "named_settings",
            "table_settings",
            "site",
            "deployments",
            "endpoints",
            "zone_names",
            "open_ai_account_ids",
            "developer_account_ids",
            "keeping_account_ids",
        )
        question = "jsonencode({" + ", ".join(f"{name} = local.{name}" for name in names) + "})\n"
        done = subprocess.run(
            ["terraform", "console"], input=question, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith('"'), done.stderr  # a refused variable changes no exit status
        return json.loads(json.loads(done.stdout))

    return evaluate
