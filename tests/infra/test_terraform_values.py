"""Terraform's own expressions, evaluated without a provider: what stands for a resource's attribute is a plain value."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from tests.infra.planting import ROOT

TERRAFORM = ROOT / "infra" / "terraform"
ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts"
STAND_INS = (
    (r"data\.azapi_resource\.existing_open_ai\[0\]\.output\.properties\.endpoint", '"https://mine.openai.azure.com/"'),
    (r"azurerm_cognitive_account\.account\[account\.name\]\.endpoint", '"https://${account.name}.openai.azure.com/"'),
    (r"azurerm_cognitive_account\.account\[account\.name\]\.id", f'"{ACCOUNT}/${{account.name}}"'),
    (r"\$\{(?:data\.)?azurerm_\w+\.\w+(?:\[\w+\])?\.\w+\}", "value"),
    (r"(?:data\.)?azurerm_\w+\.\w+(?:\[\w+\])?\.\w+", '"value"'),
)
SEVERAL = [
    {
        "name": "sweden",
        "location": "swedencentral",
        "deployments": [
            {"name": "mini", "model": "gpt-5.4-mini", "version": "2026-03-17", "sku": "GlobalStandard", "capacity": 30},
            {
                "name": "big",
                "model": "gpt-5.4",
                "version": "2026-03-05",
                "sku": "Standard",
                "capacity": 9,
                "alias": "smart",
            },
        ],
    },
    {
        "name": "us",
        "priority": 2,
        "weight": 3,
        "deployments": [
            {"name": "mini", "model": "gpt-5.4-mini", "version": "2026-03-17", "sku": "GlobalStandard", "capacity": 30}
        ],
    },
]


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
        names = ("named_settings", "site", "deployments", "endpoints", "zone_names", "open_ai_account_ids", "developer_account_ids")
        question = "jsonencode({" + ", ".join(f"{name} = local.{name}" for name in names) + "})\n"
        done = subprocess.run(
            ["terraform", "console"], input=question, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith('"'), done.stderr  # a refused variable changes no exit status
        return json.loads(json.loads(done.stdout))

    return evaluate


def settings(values: Any) -> Settings:
    """The settings as the app would read them in Azure."""
    named = {entry["name"]: entry["value"] for entry in values["site"]["properties"]["siteConfig"]["appSettings"]}
    assert values["named_settings"].items() <= named.items()
    return Settings.from_env(named | {"WEBSITE_SITE_NAME": "func"})


def test_the_default_is_one_account_that_the_app_understands(evaluated: Any) -> None:
    values = evaluated()
    read = settings(values)
    (backend,) = read.backends
    assert backend.base_url == "https://primary.openai.azure.com/openai/v1/"
    assert read.deployment == "gpt-5.4-mini"
    assert backend.deployment(read.deployment) == "gpt-5.4-mini"
    assert list(values["deployments"]) == ["primary/gpt-5.4-mini"]
    assert values["endpoints"] == {}
    concurrency = values["site"]["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert concurrency["triggers"]["http"]["perInstanceConcurrency"] == 100
    assert concurrency["alwaysReady"] == []


def test_several_accounts_become_the_failover_list_with_the_names_that_callers_use(evaluated: Any) -> None:
    values = evaluated(open_ai_accounts=SEVERAL)
    read = settings(values)
    assert [(backend.name, backend.priority, backend.weight) for backend in read.backends] == [
        ("sweden", 1, 1),
        ("us", 2, 3),
    ]
    assert read.deployment == "mini"
    assert [backend.deployment("smart") for backend in read.backends] == ["big", None]
    assert sorted(values["deployments"]) == ["sweden/big", "sweden/mini", "us/mini"]
    assert values["open_ai_account_ids"] == {name: f"{ACCOUNT}/{name}" for name in ("sweden", "us")}


@pytest.mark.parametrize("names", [{}, {"smart": "big", "small": "mini"}])
def test_an_existing_account_takes_the_place_of_new_ones(evaluated: Any, names: dict[str, str]) -> None:
    values = evaluated(
        existing_open_ai_resource_id=f"{ACCOUNT}/mine",
        existing_open_ai_deployments=names,
        open_ai_deployment_name="big",
    )
    (backend,) = settings(values).backends
    assert (backend.name, backend.base_url) == ("mine", "https://mine.openai.azure.com/openai/v1/")
    assert dict(backend.deployments) == names
    assert settings(values).deployment == "big"
    assert values["deployments"] == {}
    assert values["open_ai_account_ids"] == {"existing": f"{ACCOUNT}/mine"}


def test_who_deploys_gets_a_role_on_the_accounts_made_here_and_on_no_other(evaluated: Any) -> None:
    assert list(evaluated(principal_id="me")["developer_account_ids"]) == ["primary"]
    assert evaluated(principal_id="me", existing_open_ai_resource_id=f"{ACCOUNT}/mine")["developer_account_ids"] == {}
    assert evaluated()["developer_account_ids"] == {}


def test_settings_of_ones_own_override_the_defaults_but_not_what_is_deployed(evaluated: Any) -> None:
    read = settings(evaluated(app_settings={"SYSTEM_PROMPT": "Be brief.", "AUTH_MODE": "anonymous"}))
    assert (read.system_prompt, read.auth_mode) == ("Be brief.", "function")


def test_everything_at_once_is_consistent(evaluated: Any) -> None:
    values = evaluated(
        open_ai_accounts=SEVERAL,
        auth_mode="keys",
        vnet_enabled=True,
        front_door_enabled=True,
        http_always_ready_instances=2,
        zone_redundant=True,
        cors_allowed_origins=["https://app.example.com"],
    )
    config = values["site"]["properties"]["siteConfig"]
    assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert config["ipSecurityRestrictions"][0]["headers"] == {"x-azure-fdid": ["value"]}
    assert values["named_settings"]["ALLOWED_ORIGINS"] == "https://app.example.com"
    assert values["named_settings"]["CALLER_KEYS"].startswith("@Microsoft.KeyVault(SecretUri=")
    assert sorted(values["endpoints"]) == ["openai-sweden", "openai-us", "storage", "vault"]
    assert {endpoint["group_id"] for endpoint in values["endpoints"].values()} == set(values["zone_names"])


def test_with_entra_the_platform_answers_preflights_and_the_app_does_not(evaluated: Any) -> None:
    values = evaluated(auth_mode="entra", auth_client_id="id", cors_allowed_origins=["https://app.example.com"])
    assert values["named_settings"]["ALLOWED_ORIGINS"] == ""
    assert values["site"]["properties"]["siteConfig"]["cors"]["allowedOrigins"] == ["https://app.example.com"]


def test_entra_without_a_registration_is_refused(evaluated: Any) -> None:
    with pytest.raises(AssertionError, match="auth_mode entra needs"):
        evaluated(auth_mode="entra")
