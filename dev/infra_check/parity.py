"""Parity of Bicep and Terraform: resources, selected properties, parameters and outputs."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from dev.infra_check.bicep import Declaration
from dev.infra_check.scanner import Node, leaves, literal
from dev.infra_check.terraform import Block, blocks_of
from dev.infra_check.tree import Project, snake

TYPES = {
    "Microsoft.Authorization/roleAssignments": "azurerm_role_assignment",
    "Microsoft.Cdn/profiles": "azurerm_cdn_frontdoor_profile",
    "Microsoft.Cdn/profiles/afdEndpoints": "azurerm_cdn_frontdoor_endpoint",
    "Microsoft.Cdn/profiles/afdEndpoints/routes": "azurerm_cdn_frontdoor_route",
    "Microsoft.Cdn/profiles/originGroups": "azurerm_cdn_frontdoor_origin_group",
    "Microsoft.Cdn/profiles/originGroups/origins": "azurerm_cdn_frontdoor_origin",
    "Microsoft.Cdn/profiles/securityPolicies": "azurerm_cdn_frontdoor_security_policy",
    "Microsoft.CognitiveServices/accounts": "azurerm_cognitive_account",
    "Microsoft.CognitiveServices/accounts/deployments": "azurerm_cognitive_deployment",
    "Microsoft.Consumption/budgets": "azurerm_consumption_budget_resource_group",
    "Microsoft.Insights/actionGroups": "azurerm_monitor_action_group",
    "Microsoft.Insights/components": "azurerm_application_insights",
    "Microsoft.Insights/diagnosticSettings": "azurerm_monitor_diagnostic_setting",
    "Microsoft.Insights/scheduledQueryRules": "azurerm_monitor_scheduled_query_rules_alert_v2",
    "Microsoft.Insights/workbooks": "azurerm_application_insights_workbook",
    "Microsoft.KeyVault/vaults": "azurerm_key_vault",
    "Microsoft.ManagedIdentity/userAssignedIdentities": "azurerm_user_assigned_identity",
    "Microsoft.Network/FrontDoorWebApplicationFirewallPolicies": "azurerm_cdn_frontdoor_firewall_policy",
    "Microsoft.Network/networkSecurityGroups": "azurerm_network_security_group",
    "Microsoft.Network/privateDnsZones": "azurerm_private_dns_zone",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": "azurerm_private_dns_zone_virtual_network_link",
    "Microsoft.Network/privateEndpoints": "azurerm_private_endpoint",
    "Microsoft.Network/virtualNetworks": "azurerm_virtual_network",
    "Microsoft.OperationalInsights/workspaces": "azurerm_log_analytics_workspace",
    "Microsoft.Search/searchServices": "azurerm_search_service",
    "Microsoft.Resources/resourceGroups": "azurerm_resource_group",
    "Microsoft.Storage/storageAccounts": "azurerm_storage_account",
    "Microsoft.Storage/storageAccounts/blobServices/containers": "azurerm_storage_container",
    "Microsoft.Web/serverfarms": "azurerm_service_plan",
    "Microsoft.Web/sites": "azapi_resource",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": "azapi_update_resource",
    "Microsoft.Web/sites/config": "azapi_update_resource",
}
# Resources of one tree that are parts of another resource in the other tree, and the required part.
PARTS_IN_TERRAFORM = {
    "Microsoft.Storage/storageAccounts/blobServices.blob_services": (
        "azurerm_storage_account.account",
        "blob_properties",
    ),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups.zone_group": (
        "azurerm_private_endpoint.endpoint",
        "private_dns_zone_group",
    ),
}
PARTS_IN_BICEP = {
    "azapi_update_resource.deployment_options": ("modelDeployments", "properties.serviceTier"),
    "azurerm_subnet.app": ("network", "properties.subnets"),
    "azurerm_subnet.endpoints": ("network", "properties.subnets"),
    "azurerm_subnet_network_security_group_association.app": ("network", "properties.subnets"),
    "azurerm_subnet_network_security_group_association.endpoints": ("network", "properties.subnets"),
}
# Terraform address, path in Bicep, path in Terraform. A path with `!` has the negated value.
PROPERTIES = tuple(
    line.split()
    for line in """
azurerm_storage_account.account kind account_kind
azurerm_storage_account.account properties.accessTier access_tier
azurerm_storage_account.account properties.allowSharedKeyAccess shared_access_key_enabled
azurerm_storage_account.account properties.defaultToOAuthAuthentication default_to_oauth_authentication
azurerm_storage_account.account properties.allowBlobPublicAccess allow_nested_items_to_be_public
azurerm_storage_account.account properties.allowCrossTenantReplication cross_tenant_replication_enabled
azurerm_storage_account.account properties.supportsHttpsTrafficOnly https_traffic_only_enabled
azurerm_storage_account.account properties.minimumTlsVersion min_tls_version
azurerm_storage_account.account properties.publicNetworkAccess public_network_access_enabled
azurerm_storage_account.account properties.networkAcls.defaultAction network_rules.default_action
azurerm_storage_account.account properties.sasPolicy.sasExpirationPeriod sas_policy.expiration_period
azurerm_storage_container.state name name
azurerm_cognitive_account.account kind kind
azurerm_cognitive_account.account sku.name sku_name
azurerm_cognitive_account.account properties.disableLocalAuth !local_auth_enabled
azurerm_cognitive_account.account properties.customSubDomainName custom_subdomain_name
azurerm_cognitive_account.account properties.publicNetworkAccess public_network_access_enabled
azurerm_cognitive_account.account properties.networkAcls.defaultAction network_acls.default_action
azurerm_cognitive_account.account properties.restrictOutboundNetworkAccess outbound_network_access_restricted
azurerm_cognitive_deployment.model_deployments sku.name sku.name
azurerm_cognitive_deployment.model_deployments sku.capacity sku.capacity
azurerm_cognitive_deployment.model_deployments properties.model.format model.format
azurerm_cognitive_deployment.model_deployments properties.model.name model.name
azurerm_cognitive_deployment.model_deployments properties.model.version model.version
azurerm_cognitive_deployment.model_deployments properties.raiPolicyName rai_policy_name
azurerm_cognitive_deployment.model_deployments properties.versionUpgradeOption version_upgrade_option
azurerm_application_insights.application_insights properties.Application_Type application_type
azurerm_application_insights.application_insights properties.DisableLocalAuth !local_authentication_enabled
azurerm_application_insights.application_insights properties.WorkspaceResourceId workspace_id
azurerm_application_insights_workbook.workbook properties.displayName display_name
azurerm_application_insights_workbook.workbook properties.category category
azurerm_monitor_action_group.action_group properties.groupShortName short_name
azurerm_monitor_action_group.action_group properties.enabled enabled
azurerm_monitor_scheduled_query_rules_alert_v2.alert_rules properties.enabled enabled
azurerm_monitor_scheduled_query_rules_alert_v2.alert_rules properties.evaluationFrequency evaluation_frequency
azurerm_monitor_scheduled_query_rules_alert_v2.alert_rules properties.windowSize window_duration
azurerm_monitor_scheduled_query_rules_alert_v2.alert_rules properties.autoMitigate auto_mitigation_enabled
azurerm_log_analytics_workspace.workspace properties.sku.name sku
azurerm_log_analytics_workspace.workspace properties.features.disableLocalAuth !local_authentication_enabled
azurerm_log_analytics_workspace.workspace properties.retentionInDays retention_in_days
azurerm_log_analytics_workspace.workspace properties.workspaceCapping.dailyQuotaGb daily_quota_gb
azurerm_service_plan.plan sku.name sku_name
azurerm_service_plan.plan properties.zoneRedundant zone_balancing_enabled
azurerm_key_vault.vault properties.sku.name sku_name
azurerm_key_vault.vault properties.enableRbacAuthorization rbac_authorization_enabled
azurerm_key_vault.vault properties.enablePurgeProtection purge_protection_enabled
azurerm_key_vault.vault properties.softDeleteRetentionInDays soft_delete_retention_days
azurerm_key_vault.vault properties.publicNetworkAccess public_network_access_enabled
azurerm_key_vault.vault properties.networkAcls.bypass network_acls.bypass
azurerm_search_service.search sku.name sku
azurerm_search_service.search identity.type identity.type
azurerm_search_service.search properties.disableLocalAuth !local_authentication_enabled
azurerm_search_service.search properties.replicaCount replica_count
azurerm_search_service.search properties.partitionCount partition_count
azurerm_search_service.search properties.semanticSearch semantic_search_sku
azurerm_search_service.search properties.publicNetworkAccess public_network_access_enabled
azurerm_search_service.search properties.networkRuleSet.bypass network_rule_bypass_option
azurerm_cdn_frontdoor_profile.profile sku.name sku_name
azurerm_cdn_frontdoor_profile.profile properties.originResponseTimeoutSeconds response_timeout_seconds
azurerm_cdn_frontdoor_firewall_policy.firewall properties.policySettings.mode mode
azurerm_cdn_frontdoor_route.route properties.forwardingProtocol forwarding_protocol
azurerm_cdn_frontdoor_origin.origin properties.enforceCertificateNameCheck certificate_name_check_enabled
azurerm_private_dns_zone_virtual_network_link.zone_links properties.registrationEnabled registration_enabled
azurerm_consumption_budget_resource_group.budget properties.amount amount
azurerm_consumption_budget_resource_group.budget properties.timeGrain time_grain
""".strip().splitlines()
)
_LIST = re.compile(r"\.\d.*")
_OPPOSITE = {"true": "false", "false": "true"}


def pairs(project: Project) -> dict[str, Declaration]:
    """Return Bicep's resources by the Terraform addresses expected for them."""
    return {
        f"{TYPES[found.resource_type]}.{snake(found.name)}": found
        for name, found in project.bicep_resources().items()
        if name not in PARTS_IN_TERRAFORM and found.resource_type in TYPES
    }


def resources(project: Project) -> Iterator[str]:
    """Report resources of one tree without a counterpart of the matching type and name in the other."""
    terraform, counterparts = project.terraform_resources(), pairs(project)
    for name, found in project.bicep_resources().items():
        part = PARTS_IN_TERRAFORM.get(name)
        if part and (part[0] not in terraform or terraform[part[0]].at(part[1]) is None):
            yield f"{found.place}: {found.name} has no counterpart: {part[0]} has no {part[1]}"
        elif not part and found.resource_type not in TYPES:
            yield f"{found.place}: {found.resource_type} has no Terraform type in TYPES"
    for address in sorted(counterparts.keys() - terraform.keys()):
        yield f"{counterparts[address].place}: {counterparts[address].name} has no counterpart: Terraform lacks {address}"
    for address in sorted(terraform.keys() - counterparts.keys()):
        parent = project.bicep_resource(PARTS_IN_BICEP[address][0]) if address in PARTS_IN_BICEP else None
        if parent is None or parent.at(PARTS_IN_BICEP[address][1]) is None:
            yield f"{terraform[address].place}: {address} has no counterpart in Bicep"


def properties(project: Project) -> Iterator[str]:
    """Report selected properties that differ: they must have the same literal, or a parameter in both trees."""
    terraform, counterparts = project.terraform_resources(), pairs(project)
    for address, bicep_path, terraform_path in PROPERTIES:
        if address not in terraform or address not in counterparts:
            continue  # reported by `resources`
        left = counterparts[address].at(bicep_path)
        right = terraform[address].at(terraform_path.removeprefix("!"))
        if left is None or right is None:
            missing = "Bicep" if left is None else "Terraform"
            yield f"{address}: {missing} lacks {bicep_path if left is None else terraform_path.removeprefix('!')}"
            continue
        expected = literal(left)
        if terraform_path.startswith("!"):
            expected = _OPPOSITE[expected or "true"]
        if expected != literal(right):
            yield f"{address}: {bicep_path} is {left} in Bicep, {terraform_path} is {right} in Terraform"
    for address, found in sorted(counterparts.items()):
        if address in terraform:
            yield from _bodies(project, address, found, terraform[address])
            yield from _categories(address, found, terraform[address])


def _bodies(project: Project, address: str, found: Declaration, block: Block) -> Iterator[str]:
    """Report differences of an azapi resource, whose properties have Bicep's names, from what Bicep evaluates to."""
    if not address.startswith("azapi_"):
        return
    if literal(block.at("type")) != found.type:
        yield f"{address}: {block.at('type')} in Terraform, {found.type} in Bicep"
    name = literal(found.at("name"))
    made = [
        one
        for one in project.evaluated
        if one.type == found.resource_type and (name is None or one.name.endswith(f"/{name}"))
    ]
    if not made:
        yield f"{address}: no evaluated deployment has {found.name}"
        return
    body = made[0].body
    left = {
        path: value
        for path, value in _fields({"kind": body.get("kind"), "properties": body["properties"]})
        if path != "kind" or value is not None
    }
    right = {
        _LIST.sub("", path): value if not _LIST.search(path) else ""
        for path, value in leaves(block.at("body") or {}).items()
        if path != "name"
    }
    for path in sorted(left):
        if not any(path == other or path.startswith(f"{other}.") for other in right):
            yield f"{address}: Terraform lacks {path}"
    for path in sorted(right):
        if not any(path == other or other.startswith(f"{path}.") for other in left):
            yield f"{address}: Bicep lacks {path}"
        elif path in left and literal(right[path]) not in (None, _written(left[path])):
            yield f"{address}: {path} is {_written(left[path])} in Bicep and {right[path]} in Terraform"


def _fields(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each value that is no object, with its dotted path."""
    if not isinstance(value, Mapping) or not value:
        yield path, value
        return
    for name, inner in value.items():
        yield from _fields(inner, f"{path}.{name}" if path else name)


def _written(value: Any) -> str:
    """Return a value as both languages write its literal, without quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _categories(address: str, found: Declaration, block: Block) -> Iterator[str]:
    """Report differences in the categories of a diagnostic setting."""
    if not address.startswith("azurerm_monitor_diagnostic_setting."):
        return
    left = {
        literal(value) for path, value in leaves(found.body).items() if path.endswith(("category", "categoryGroup"))
    }
    right = {literal(value) for inner in block.blocks for value in inner.arguments.values()}
    if left != right:
        yield f"{address}: collects {sorted(map(str, left))} in Bicep and {sorted(map(str, right))} in Terraform"


def parameters(project: Project) -> Iterator[str]:
    """Report parameters or defaults that differ between the trees, or are missing in main.parameters.json (azd)."""
    left = {snake(found.name): found for found in project.main("param")}
    right = {block.address: block for block in blocks_of(project.terraform, "variable")}
    for name in sorted(left.keys() ^ right.keys()):
        yield f"the parameter {name} is only in {'Bicep' if name in left else 'Terraform'}"
    for name in sorted(left.keys() & right.keys()):
        bicep = _default(left[name].value if left[name].value != "" else None)
        terraform = _default(right[name].at("default"))
        if bicep != terraform:
            yield f"the default of {name} is {bicep} in Bicep and {terraform} in Terraform"
    given = json.loads((project.root / "infra" / "main.parameters.json").read_text(encoding="utf-8"))["parameters"]
    names = {found.name: found for found in left.values()}
    for name in sorted(names.keys() ^ given.keys()):
        yield f"the parameter {name} is only in {'main.bicep' if name in names else 'main.parameters.json'}"
    for name in sorted(names.keys() & given.keys()):
        _, is_default, default = str(given[name]["value"]).removesuffix("}").partition("=")
        if is_default and default != literal(names[name].value):
            yield f"the default of {name} is {names[name].value} in main.bicep and {default} in main.parameters.json"


def _default(value: Node | None) -> str | None:
    return None if value is None else (literal(value) if isinstance(value, str) else json.dumps(value))


def outputs(project: Project) -> Iterator[str]:
    """Report outputs that exist in one tree only."""
    left = {found.name for found in project.main("output")}
    right = {block.address for block in blocks_of(project.terraform, "output")}
    for name in sorted(left ^ right):
        yield f"the output {name} is only in {'Bicep' if name in left else 'Terraform'}"
