"""Parity of lists and inner blocks, which single properties do not cover: both trees must have the same literals."""

from collections.abc import Iterator

from dev.infra_check.parity import PARTS_IN_TERRAFORM, pairs
from dev.infra_check.scanner import Node, leaves, literal
from dev.infra_check.terraform import Block
from dev.infra_check.tree import Project

# Terraform address, path in Bicep, argument or kind of inner block in Terraform.
PARTS = tuple(
    line.split()
    for line in """
azurerm_storage_account.account properties.networkAcls.bypass network_rules.bypass
azurerm_storage_account.account properties blob_properties
azurerm_storage_container.packages properties.publicAccess container_access_type
azurerm_storage_container.state properties.publicAccess container_access_type
azurerm_network_security_group.app_security_group properties.securityRules security_rule
azurerm_network_security_group.endpoints_security_group properties.securityRules security_rule
azurerm_cdn_frontdoor_origin_group.origin_group properties.loadBalancingSettings load_balancing
azurerm_cdn_frontdoor_route.route properties.supportedProtocols supported_protocols
azurerm_cdn_frontdoor_route.route properties.patternsToMatch patterns_to_match
azurerm_cdn_frontdoor_firewall_policy.firewall properties.managedRules managed_rule
azurerm_consumption_budget_resource_group.budget properties.notifications notification
azurerm_monitor_scheduled_query_rules_alert_v2.alert_rules properties.criteria criteria
""".strip().splitlines()
)
# Values that one tree leaves implicit, and values with another name.
_IMPLICIT = frozenset({"true"})
_BICEP_NAMES = {"private": "None"}


def parity_parts(project: Project) -> Iterator[str]:
    """Report literals that only one of two corresponding parts has."""
    bicep, terraform, counterparts = project.bicep_resources(), project.terraform_resources(), pairs(project)
    # Separate resources in Bicep.
    separate = {(address, part): bicep.get(name) for name, (address, part) in PARTS_IN_TERRAFORM.items()}
    for address, path, part in PARTS:
        counterpart = separate.get((address, part), counterparts.get(address))
        if counterpart is None or address not in terraform:
            continue  # reported by the comparison of resources
        left = _literals(counterpart.at(path))
        right = {_BICEP_NAMES.get(word, word) for word in _words(terraform[address], part)}
        if left != right:
            only = f"only in Bicep: {sorted(left - right)}, only in Terraform: {sorted(right - left)}"
            yield f"{address}: {part} differs from {path}; {only}"


def _literals(node: Node | None) -> set[str]:
    found = {literal(text) for text in leaves(node or "").values()}
    return {word for word in found if word is not None and word not in _IMPLICIT}


def _words(block: Block, part: str) -> set[str]:
    """Return the literals of an argument, or of every inner block of that kind."""
    first, _, rest = part.partition(".")
    if first in block.arguments:
        return _literals(block.arguments[first])
    inner = [each for each in block.blocks if each.kind == first]
    return {word for each in inner for word in (_words(each, rest) if rest else _all(each))}


def _all(block: Block) -> set[str]:
    words = {word for node in block.arguments.values() for word in _literals(node)}
    return words.union(*(_all(inner) for inner in block.blocks))
