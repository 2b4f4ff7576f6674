"""Parity of role assignments."""

import re
from collections.abc import Iterator

from dev.infra_check.parity import TYPES
from dev.infra_check.scanner import literal
from dev.infra_check.tree import Project, snake

_ROLE = re.compile(r"(?:roleIds|role_ids)\.(\w+)")
_SCOPE = re.compile(r"(azurerm_\w+)\.")


def parity_roles(project: Project) -> Iterator[str]:
    """Report assignments that differ in role, principal or type of resource."""
    terraform = project.terraform_resources()
    for file in project.bicep:
        symbols = {found.name: found.resource_type for found in file.of("resource")}
        for found in file.of("resource"):
            address = f"azurerm_role_assignment.{snake(found.name)}"
            if found.resource_type != "Microsoft.Authorization/roleAssignments" or address not in terraform:
                continue
            block = terraform[address]
            roles = (
                _ROLE.search(str(found.at("properties.roleDefinitionId"))),
                _ROLE.search(str(block.at("role_definition_id"))),
            )
            if not roles[0] or not roles[1] or snake(roles[0].group(1)) != roles[1].group(1):
                yield f"{address}: the role differs between Bicep and Terraform"
            kinds = found.at("properties.principalType"), block.at("principal_type")
            if literal(kinds[0]) != literal(kinds[1]):
                yield f"{address}: principal type {kinds[0]} in Bicep, {kinds[1]} in Terraform"
            principals = found.at("properties.principalId"), block.at("principal_id")
            if (principals[0] == "developerPrincipalId") != (principals[1] == "var.principal_id"):
                yield f"{address}: given to {principals[0]} in Bicep, to {principals[1]} in Terraform"
            scope = str(block.at("scope"))
            on = _SCOPE.match(scope)
            # `each.value` iterates over the accounts that the app calls.
            if TYPES.get(symbols.get(str(found.at("scope")), "")) != (
                on.group(1) if on else "azurerm_cognitive_account"
            ):
                yield f"{address}: on {found.at('scope')} in Bicep, on {scope} in Terraform"
