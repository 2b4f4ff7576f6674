"""Bicep's own expressions, evaluated: what the app is given by a deployment with certain parameters. The same as by Terraform."""

import json
from typing import Any

import pytest

from dev.infra_check.bicep import Declaration
from dev.infra_check.tree import Project, snake
from tests.infra.bicep_values import Module
from tests.infra.planting import ROOT
from tests.infra.samples import ACCOUNT, CLIENT_ID, SEVERAL, app_settings, settings

EVERYTHING: dict[str, Any] = {
    "openAiAccounts": SEVERAL,
    "authMode": "keys",
    "vnetEnabled": True,
    "searchSku": "basic",
    "frontDoorEnabled": True,
    "httpAlwaysReadyInstances": 2,
    "zoneRedundant": True,
    "corsAllowedOrigins": ["https://app.example.com", "https://other.example.com"],
    "appSettings": {"CALLER_LIMITS": '{"*": {"streams": 20}}'},
}
EXISTING: dict[str, Any] = {
    "existingOpenAiResourceId": f"{ACCOUNT}/mine",
    "existingOpenAiDeployments": {"smart": "big"},
    "openAiDeploymentName": "smart",
}
CASES: dict[str, dict[str, Any]] = {
    "nothing but the defaults": {},
    "several accounts": {"openAiAccounts": SEVERAL},
    "an account that exists": EXISTING,
    "everything at once": EVERYTHING,
    "Entra": {"authMode": "entra", "authClientId": "id", "corsAllowedOrigins": ["https://app.example.com"]},
    "settings of one's own": {"appSettings": {"SYSTEM_PROMPT": "Be brief: \"yes\".", "AUTH_MODE": "anonymous"}},
}


class Known(dict[str, Any]):
    """What Azure knows of a resource: a plain value wherever nothing else is said."""

    def __missing__(self, key: str) -> Any:
        if key == "clientId":
            return CLIENT_ID
        return Known() if key in ("properties", "primaryEndpoints") else "value"


def known(_found: Declaration, name: str) -> Known:
    account = name.removeprefix("cog-token-")
    endpoint = f"https://{account}.openai.azure.com/"
    return Known(name=name, id=f"{ACCOUNT}/{account}", properties=Known(endpoint=endpoint))


def main(parameters: dict[str, Any]) -> Module:
    files = {file.path: file for file in Project.read(ROOT).bicep}
    return Module(files, "main.bicep", {"environmentName": "chat", "location": "swedencentral"} | parameters, known)


def site(parameters: dict[str, Any]) -> Any:
    return main(parameters).value("api").body("site")


def test_the_default_is_one_account_that_the_app_understands() -> None:
    read = settings(site({}))
    (backend,) = read.backends
    assert backend.base_url == "https://primary.openai.azure.com/openai/v1/"
    assert read.deployment == "gpt-5.4-mini"
    assert backend.deployment(read.deployment) == "gpt-5.4-mini"
    assert read.client_id == CLIENT_ID


def test_several_accounts_become_the_failover_list_with_the_names_that_callers_use() -> None:
    deployed = main({"openAiAccounts": SEVERAL})
    read = settings(deployed.value("api").body("site"))
    assert [(backend.name, backend.priority, backend.weight) for backend in read.backends] == [
        ("sweden", 1, 1),
        ("us", 2, 3),
    ]
    assert read.deployment == "mini"
    assert [backend.deployment("smart") for backend in read.backends] == ["big", None]
    accounts = deployed.value("openAi").value("account")
    assert [account.body("account")["location"] for account in accounts] == ["swedencentral", "swedencentral"]
    assert [[made["name"] for made in account.body("modelDeployments")] for account in accounts] == [
        ["mini", "big"],
        ["mini"],
    ]
    assert [role.value("accountName") for role in deployed.value("openAiRbac")] == ["cog-token-sweden", "cog-token-us"]


def test_an_existing_account_takes_the_place_of_new_ones() -> None:
    deployed = main(EXISTING)
    (backend,) = settings(deployed.value("api").body("site")).backends
    assert (backend.name, backend.base_url) == ("mine", "https://mine.openai.azure.com/openai/v1/")
    assert backend.deployment("smart") == "big"
    assert deployed.value("openAi").value("account") == []
    assert deployed.value("openAiRbac") == []
    assert deployed.value("existingOpenAiRbac").value("accountName") == "mine"
    assert deployed["outputs"]["AZURE_OPENAI_RESOURCE"] == "mine"
    assert deployed["outputs"]["AZURE_OPENAI_DEPLOYMENT"] == "smart"


def test_every_private_endpoint_has_a_zone() -> None:
    deployed = main(EVERYTHING)
    endpoints = deployed.value("privateEndpoints").body("endpoint")
    groups = [endpoint["properties"]["privateLinkServiceConnections"][0]["properties"]["groupIds"] for endpoint in endpoints]
    assert groups == [["blob"], ["table"], ["account"], ["account"], ["vault"], ["searchService"]]
    zones = deployed.value("network")["outputs"]["zoneIds"]
    assert {group for (group,) in groups} == zones.keys()


@pytest.mark.parametrize(("is_private", "access", "action"), [(False, "Enabled", "Allow"), (True, "Disabled", "Deny")])
def test_a_private_network_closes_storage_models_and_vault_to_others(is_private: bool, access: str, action: str) -> None:
    deployed = main({"vnetEnabled": is_private, "authMode": "keys"})
    (models,) = deployed.value("openAi").value("account")
    bodies = [
        deployed.value("storage").body("account"),
        models.body("account"),
        deployed.value("vault").body("vault"),
    ]
    assert [body["properties"]["publicNetworkAccess"] for body in bodies] == [access] * 3
    assert [body["properties"]["networkAcls"]["defaultAction"] for body in bodies] == [action] * 3
    subnet = deployed.value("api").body("site")["properties"]["virtualNetworkSubnetId"]
    assert (subnet is not None) == is_private


def test_both_subnets_are_guarded_and_the_apps_is_delegated() -> None:
    app, endpoints = main(EVERYTHING).value("network").body("network")["properties"]["subnets"]
    assert app["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert app["properties"]["networkSecurityGroup"]["id"] and endpoints["properties"]["networkSecurityGroup"]["id"]
    assert endpoints["properties"]["privateEndpointNetworkPolicies"] == "NetworkSecurityGroupEnabled"


def test_behind_front_door_only_its_one_profile_may_call() -> None:
    config = site(EVERYTHING)["properties"]["siteConfig"]
    (rule,) = config["ipSecurityRestrictions"]
    assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert (rule["action"], rule["tag"], rule["ipAddress"]) == ("Allow", "ServiceTag", "AzureFrontDoor.Backend")
    assert rule["headers"] == {"x-azure-fdid": ["value"]}
    assert site({})["properties"]["siteConfig"]["ipSecurityRestrictionsDefaultAction"] == "Allow"


def test_front_door_has_current_rules_and_takes_https_alone() -> None:
    deployed = main(EVERYTHING)
    rules = deployed.value("frontDoor").body("firewall")["properties"]["managedRules"]["managedRuleSets"][0]
    assert (rules["ruleSetType"], rules["ruleSetVersion"]) == ("Microsoft_DefaultRuleSet", "2.1")
    assert deployed.value("edgeRoutes").body("route")["properties"]["supportedProtocols"] == ["Https"]


@pytest.mark.parametrize(("named", "allowed"), [([], ["id"]), (["one", "two"], ["one", "two"])])
def test_easy_auth_leaves_health_open_and_never_takes_an_empty_list_of_applications(
    named: list[str], allowed: list[str]
) -> None:
    api = main({"authMode": "entra", "authClientId": "id", "authAllowedClientIds": named}).value("api")
    properties = api.body("easyAuth")["properties"]
    assert properties["globalValidation"]["excludedPaths"] == ["/health"]
    provider = properties["identityProviders"]["azureActiveDirectory"]
    assert provider["validation"]["defaultAuthorizationPolicy"]["allowedApplications"] == allowed
    assert provider["validation"]["allowedAudiences"] == ["id", "api://id"]
    assert provider["registration"] == {"clientId": "id", "openIdIssuer": "https://login/tenant/v2.0"}


def without(part: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != key}


@pytest.mark.parametrize("parameters", CASES.values(), ids=CASES.keys())
def test_terraform_gives_the_app_the_same(evaluated: Any, parameters: dict[str, Any]) -> None:
    ours = site(parameters)
    theirs = evaluated(**{snake(name): value for name, value in parameters.items()})["site"]
    left, right = app_settings(ours), app_settings(theirs)
    assert json.loads(left.pop("AZURE_OPENAI_BACKENDS")) == json.loads(right.pop("AZURE_OPENAI_BACKENDS"))
    # The name has a token in it, which each tree makes of other things.
    suffixes = [endpoint.pop("SEARCH_ENDPOINT").partition(".")[2] for endpoint in (left, right)]
    assert suffixes == ["search.windows.net" if parameters.get("searchSku") else ""] * 2
    assert left == right
    for part, apart in (("siteConfig", "appSettings"), ("functionAppConfig", "deployment")):
        assert without(ours["properties"][part], apart) == without(theirs["properties"][part], apart)
    assert ours["properties"].keys() == theirs["properties"].keys()


def test_azd_offers_the_regions_that_have_quota_for_the_default_model() -> None:
    """https://learn.microsoft.com/azure/developer/azure-developer-cli/metadata#usagename"""
    text = (ROOT / "infra/main.bicep").read_text()
    found = main({})
    sku, model, capacity = (
        found.value(name) for name in ("openAiDeploymentSkuName", "openAiModelName", "openAiDeploymentCapacity")
    )
    location = text.partition("param location string")[0].rpartition("@metadata(")[2]
    assert f"'OpenAI.{sku}.{model},{capacity}'" in location
    assert "type: 'location'" in location


def test_a_search_service_is_made_where_a_tier_is_named_and_is_keyless() -> None:
    plain = main({})
    assert plain.value("api").body("site")["properties"]
    deployed = main({"searchSku": "standard", "vnetEnabled": True})
    search = deployed.value("search").body("search")
    assert search["sku"] == {"name": "standard"}
    assert search["properties"]["disableLocalAuth"] is True
    assert search["properties"]["publicNetworkAccess"] == "Disabled"
    assert "authOptions" not in search["properties"]
