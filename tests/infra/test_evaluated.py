"""What Bicep's own compiler says is deployed with certain parameters: what the app makes of it. The same as by Terraform."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from dev.infra_check.evaluated import DEFAULTS, Resource, read_evaluated, resolved
from dev.infra_check.tree import Project
from tests.harness.cells import cells
from tests.infra.planting import ROOT
from tests.infra.samples import ACCOUNT, CLIENT_ID, SEVERAL, app_settings, settings

EVALUATED = read_evaluated(ROOT)
# Terraform's variables for the parameter sets whose sites are compared.
CASES: dict[str, dict[str, Any]] = {
    DEFAULTS: {},
    "accounts": {"open_ai_accounts": SEVERAL},
    "existing": {
        "existing_open_ai_resource_id": f"{ACCOUNT}/mine",
        "existing_open_ai_deployments": {"smart": "big"},
        "open_ai_deployment_name": "smart",
    },
    "stateful": {
        "existing_open_ai_resource_id": f"{ACCOUNT}/mine",
        "existing_open_ai_deployments": {"smart": "big"},
        "open_ai_deployment_name": "smart",
        "app_settings": {"OPENAI_STATEFUL": " On "},
    },
    "everything": {
        "open_ai_accounts": SEVERAL,
        "auth_mode": "keys",
        "vnet_enabled": True,
        "search_sku": "basic",
        "front_door_enabled": True,
        "http_always_ready_instances": 2,
        "zone_redundant": True,
        "cors_allowed_origins": ["https://app.example.com", "https://other.example.com"],
        "app_settings": {"CALLER_LIMITS": '{"*": {"streams": 20}}', "OPENAI_STATEFUL": "on"},
    },
    "entra": {"auth_mode": "entra", "auth_client_id": "id", "cors_allowed_origins": ["https://app.example.com"]},
    "settings": {"app_settings": {"SYSTEM_PROMPT": 'Be brief: "yes".', "AUTH_MODE": "anonymous"}},
}


class Known(dict[str, Any]):
    """What Azure knows of a resource: a plain value wherever nothing else is said."""

    def __missing__(self, key: str) -> Any:
        return Known() if key in ("primaryEndpoints", "authentication", "suffixes") else "value"


def known(resource_id: str) -> Mapping[str, Any]:
    account = resource_id.rpartition("/")[2].rpartition("-")[2]
    return Known(clientId=CLIENT_ID, endpoint=f"https://{account}.openai.azure.com/")


def made(case: str, resource_type: str) -> list[Resource]:
    return [found for found in EVALUATED if (found.case, found.type) == (case, resource_type)]


def one(case: str, resource_type: str) -> Resource:
    (found,) = made(case, resource_type)
    return found


def site(case: str) -> Any:
    return resolved(one(case, "Microsoft.Web/sites").body, known)


def test_the_default_is_one_account_that_the_app_understands() -> None:
    read = settings(site(DEFAULTS))
    (backend,) = read.backends
    assert backend.base_url == "https://primary.openai.azure.com/openai/v1/"
    assert read.deployment == "gpt-5.4-mini"
    assert backend.deployment(read.deployment) == "gpt-5.4-mini"
    assert read.client_id == CLIENT_ID


def test_several_accounts_become_the_failover_list_with_the_names_that_callers_use() -> None:
    read = settings(site("accounts"))
    assert [(backend.name, backend.priority, backend.weight) for backend in read.backends] == [
        ("sweden", 1, 1),
        ("us", 2, 3),
    ]
    assert read.deployment == "mini"
    assert [backend.deployment("smart") for backend in read.backends] == ["big-units", None]
    assert [account.body["location"] for account in made("accounts", "Microsoft.CognitiveServices/accounts")] == [
        "swedencentral",
        "swedencentral",
    ]
    deployments = made("accounts", "Microsoft.CognitiveServices/accounts/deployments")
    assert [one.name.partition("-")[2].partition("-")[2] for one in deployments] == [
        "sweden/mini",
        "sweden/big",
        "sweden/big-units",
        "us/mini",
    ]
    assert [one.at("properties.serviceTier") for one in deployments] == ["Priority", None, None, None]
    assert [one.at("properties.spilloverDeploymentName") for one in deployments] == [None, None, "big", None]


def test_an_existing_account_takes_the_place_of_new_ones_and_the_app_alone_gets_a_role_on_it() -> None:
    (backend,) = settings(site("existing")).backends
    assert (backend.name, backend.base_url) == ("mine", "https://mine.openai.azure.com/openai/v1/")
    assert backend.deployment("smart") == "big"
    assert made("existing", "Microsoft.CognitiveServices/accounts") == []
    roles = [role.body["id"] for role in made("existing", "Microsoft.Authorization/roleAssignments")]
    assert [f"{ACCOUNT}/mine/".rpartition("/providers/")[2] in role for role in roles].count(True) == 1


@cells(("case", "accounts"), [(DEFAULTS, 0), ("accounts", 0), ("existing", 0), ("stateful", 1), ("everything", 2)])
def test_the_app_alone_may_keep_files_and_only_where_that_is_on(case: str, accounts: int) -> None:
    """The role has all data actions of an account; who deploys does not get it."""
    given = [
        role
        for role in made(case, "Microsoft.Authorization/roleAssignments")
        if role.at("properties.roleDefinitionId").endswith("/a001fd3d-188f-4b5d-821b-7da978bf7442")
    ]
    assert len({role.role_scope for role in given}) == len(given) == accounts
    assert all("/accounts/" in role.role_scope for role in given)
    assert all("userAssignedIdentities" in role.at("properties.principalId") for role in given)
    assert (app_settings(site(case))["OPENAI_STATEFUL"] != "off") is (accounts > 0)


def test_the_app_takes_for_on_what_bicep_does() -> None:
    assert app_settings(site("stateful"))["OPENAI_STATEFUL"] == " On "
    assert settings(site("stateful")).openai_stateful == "on"


def test_every_private_endpoint_has_a_zone() -> None:
    endpoints = made("everything", "Microsoft.Network/privateEndpoints")
    links = [endpoint.at("properties.privateLinkServiceConnections")[0]["properties"] for endpoint in endpoints]
    assert [link["groupIds"] for link in links] == [
        ["blob"],
        ["table"],
        ["account"],
        ["account"],
        ["vault"],
        ["searchService"],
    ]
    groups = made("everything", "Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
    assert len(groups) == len(endpoints)
    assert all(group.at("properties.privateDnsZoneConfigs")[0]["properties"]["privateDnsZoneId"] for group in groups)


@cells(("case", "access", "action"), [("keys", "Enabled", "Allow"), ("everything", "Disabled", "Deny")])
def test_a_private_network_closes_storage_models_and_vault_to_others(case: str, access: str, action: str) -> None:
    closed = [
        *made(case, "Microsoft.Storage/storageAccounts"),
        *made(case, "Microsoft.CognitiveServices/accounts"),
        *made(case, "Microsoft.KeyVault/vaults"),
    ]
    assert len(closed) >= 3
    assert {found.at("properties.publicNetworkAccess") for found in closed} == {access}
    assert {found.at("properties.networkAcls.defaultAction") for found in closed} == {action}
    subnet = one(case, "Microsoft.Web/sites").at("properties.virtualNetworkSubnetId")
    assert (subnet is not None) == (action == "Deny")


def test_both_subnets_are_guarded_and_the_apps_is_delegated() -> None:
    app, endpoints = one("network", "Microsoft.Network/virtualNetworks").at("properties.subnets")
    assert app["properties"]["delegations"][0]["properties"]["serviceName"] == "Microsoft.App/environments"
    assert app["properties"]["networkSecurityGroup"]["id"]
    assert endpoints["properties"]["networkSecurityGroup"]["id"]
    assert endpoints["properties"]["privateEndpointNetworkPolicies"] == "NetworkSecurityGroupEnabled"


def test_behind_front_door_only_its_one_profile_may_call() -> None:
    config = site("front-door")["properties"]["siteConfig"]
    (rule,) = config["ipSecurityRestrictions"]
    assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert (rule["action"], rule["tag"], rule["ipAddress"]) == ("Allow", "ServiceTag", "AzureFrontDoor.Backend")
    assert rule["headers"] == {"x-azure-fdid": ["value"]}
    assert site(DEFAULTS)["properties"]["siteConfig"]["ipSecurityRestrictionsDefaultAction"] == "Allow"


def test_front_door_has_current_rules_and_takes_https_alone() -> None:
    policy = one("front-door", "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies")
    rules = policy.at("properties.managedRules.managedRuleSets")[0]
    assert (rules["ruleSetType"], rules["ruleSetVersion"]) == ("Microsoft_DefaultRuleSet", "2.1")
    route = one("front-door", "Microsoft.Cdn/profiles/afdEndpoints/routes")
    assert route.at("properties.supportedProtocols") == ["Https"]


def test_easy_auth_leaves_health_open_and_never_takes_an_empty_list_of_applications() -> None:
    properties = resolved(one("entra", "Microsoft.Web/sites/config").body, known)["properties"]
    assert properties["globalValidation"]["excludedPaths"] == ["/health"]
    provider = properties["identityProviders"]["azureActiveDirectory"]
    assert provider["validation"]["defaultAuthorizationPolicy"]["allowedApplications"] == ["id"]
    assert provider["validation"]["allowedAudiences"] == ["id", "api://id"]
    assert provider["registration"]["clientId"] == "id"
    assert provider["registration"]["openIdIssuer"].endswith("/v2.0")


def without(part: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != key}


@pytest.mark.parametrize("case", CASES)
def test_terraform_gives_the_app_the_same(evaluated: Any, case: str) -> None:
    ours = site(case)
    theirs = evaluated(**CASES[case])["site"]
    left, right = app_settings(ours), app_settings(theirs)
    assert json.loads(left.pop("AZURE_OPENAI_BACKENDS")) == json.loads(right.pop("AZURE_OPENAI_BACKENDS"))
    # The name has a token in it, which each tree makes of other things.
    suffixes = [endpoint.pop("SEARCH_ENDPOINT").partition(".")[2] for endpoint in (left, right)]
    assert suffixes == ["search.windows.net" if CASES[case].get("search_sku") else ""] * 2
    assert left == right
    for part, apart in (("siteConfig", "appSettings"), ("functionAppConfig", "deployment")):
        assert without(ours["properties"][part], apart) == without(theirs["properties"][part], apart)
    assert ours["properties"].keys() == theirs["properties"].keys()


def test_azd_offers_the_regions_that_have_quota_for_the_default_model() -> None:
    """https://learn.microsoft.com/azure/developer/azure-developer-cli/metadata#usagename"""
    text = (ROOT / "infra/main.bicep").read_text()
    found = {declared.name: str(declared.value).strip("'") for declared in Project.read(ROOT).main("param")}
    sku, model, capacity = (
        found[name] for name in ("openAiDeploymentSkuName", "openAiModelName", "openAiDeploymentCapacity")
    )
    location = text.partition("param location string")[0].rpartition("@metadata(")[2]
    assert f"'OpenAI.{sku}.{model},{capacity}'" in location
    assert "type: 'location'" in location


def test_a_search_service_is_made_where_a_tier_is_named_and_is_keyless() -> None:
    kind = "Microsoft.Search/searchServices"
    assert made(DEFAULTS, kind) == []
    search = one("search", kind)
    assert search.body["sku"] == {"name": "basic"}
    assert search.at("properties.disableLocalAuth") is True
    assert search.at("properties.authOptions") is None
    assert one("everything", kind).at("properties.publicNetworkAccess") == "Disabled"


def test_a_preview_of_a_deployment_knows_every_name() -> None:
    """But those of private DNS zones, whose suffix is the cloud's: what has an unknown name, a preview leaves out."""
    names = [found.name for found in EVALUATED if "/privateDnsZones" not in found.type]
    assert len(names) > 200
    assert not any(name.startswith("[") for name in names)


def test_an_expression_with_a_function_that_is_not_known_is_refused() -> None:
    with pytest.raises(NameError, match="union"):
        resolved("[union(createObject())]", known)
