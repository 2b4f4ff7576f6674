"""The tree as it stands passes every check that needs no other program."""

import json
import re

from dev.infra_check.scanner import literal
from dev.infra_check.setting_lists import DEPLOYED_PLATFORM, NOT_DEPLOYED, bicep_settings
from dev.infra_check.terraform import blocks_of
from dev.infra_check.tree import Project, snake
from shared.config.settings import SETTING_NAMES, Settings
from shared.state.blob_keys import CONTAINER
from tests.harness.cells import cells
from tests.infra.planting import ROOT, said

OWN_CHECKS = (
    "workflows",
    "settings",
    "keyless",
    "roles",
    "checklist",
    "streams",
    "order",
    "descriptions",
    "parity resources",
    "parity properties",
    "parity parts",
    "parity roles",
    "parity parameters",
    "parity limits",
    "parity outputs",
)


@cells("check", OWN_CHECKS)
def test_the_tree_is_in_order(check: str) -> None:
    assert said(ROOT, check) == ""


def test_nothing_else_is_read_from_the_environment() -> None:
    # What the platform says about itself, in no list of settings.
    of_platform = {
        "IDENTITY_ENDPOINT",
        "WEBSITE_AUTH_ENABLED",
        "WEBSITE_INSTANCE_ID",
        "WEBSITE_SITE_NAME",
        "WEBSITE_SKU",
    }
    # Of the host's storage, where infra/ did not deploy the app; read by shared/state/storage_account.py.
    of_host = {"AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "AzureWebJobsStorage__tableServiceUri"}
    read = r"""\b(?:env(?:iron)?(?:\.get\(|\[)|getenv\()\s*["'](\w+)["']"""
    sources = [ROOT / "function_app.py", *(ROOT / "shared").rglob("*.py")]
    names = {name for path in sources for name in re.findall(read, path.read_text(encoding="utf-8"))}
    assert names >= of_platform | of_host
    assert names <= of_platform | of_host | DEPLOYED_PLATFORM | set(SETTING_NAMES)


def test_the_container_of_the_apps_state_has_the_name_that_the_code_uses() -> None:
    container = Project.read(ROOT).bicep_resource("state")
    assert container is not None
    assert literal(container.at("name")) == CONTAINER


def test_the_defaults_of_a_deployment_are_the_defaults_of_the_app() -> None:
    needed = {"AZURE_OPENAI_ENDPOINT": "https://account.openai.azure.com"}
    deployed = bicep_settings(Project.read(ROOT))
    del deployed["AZURE_OPENAI_DEPLOYMENT"]  # which follows from what is deployed
    defaults = {name: value for name, value in deployed.items() if value is not None and name in SETTING_NAMES}
    assert len(defaults) > 15
    assert Settings.from_env(needed | defaults) == Settings.from_env(needed)


def test_every_setting_that_a_deployment_leaves_out_has_its_reason() -> None:
    assert all(NOT_DEPLOYED[name] for name in set(SETTING_NAMES) - set(bicep_settings(Project.read(ROOT))))


def test_who_deploys_gets_a_role_on_the_accounts_made_here_and_on_no_other() -> None:
    modules = {found.name: found for file in Project.read(ROOT).bicep for found in file.of("module")}
    assert modules["openAiRbac"].at("params.developerPrincipalId") == "principalId"
    assert modules["existingOpenAiRbac"].at("params.developerPrincipalId") is None


def test_terraform_can_destroy_a_group_to_which_application_insights_has_added_its_own() -> None:
    (provider,) = (block for block in blocks_of(Project.read(ROOT).terraform, "provider") if block.address == "azurerm")
    assert provider.at("features.resource_group.prevent_deletion_if_contains_resources") == "false"


def test_azd_gives_terraform_variables_that_exist_from_the_same_environment_as_bicep() -> None:
    given = json.loads((ROOT / "infra" / "terraform" / "main.tfvars.json").read_text(encoding="utf-8"))
    bicep = json.loads((ROOT / "infra" / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    sources = {snake(name): re.findall(r"\w+", entry["value"])[0] for name, entry in bicep.items()}
    assert {name: re.findall(r"\w+", value)[0] for name, value in given.items()}.items() <= sources.items()
    assert given.keys() <= {block.address for block in blocks_of(Project.read(ROOT).terraform, "variable")}


def test_the_readme_of_infra_names_every_file_and_every_parameter() -> None:
    text = (ROOT / "infra" / "README.md").read_text(encoding="utf-8")
    project = Project.read(ROOT)
    paths = [file.path for file in project.bicep] + [file.path for file in project.terraform]
    missing = [path for path in paths if path.split("/")[-1] not in text]
    missing += [found.name for found in project.main("param") if f"`{found.name}`" not in text]
    assert missing == []
