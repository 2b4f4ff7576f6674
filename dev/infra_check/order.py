"""Dependencies of the app's first start: its roles, and its network including DNS."""

from collections.abc import Iterator

from dev.infra_check.tree import Project

# Bicep waits for complete modules; `privateEndpoints` depends on `network`.
BICEP = ("rbac", "openAiRbac", "existingOpenAiRbac", "privateEndpoints")
# Terraform waits for single resources. Private endpoints wait for their subnet and zone, but not for links and associations.
TERRAFORM = (
    "azurerm_private_endpoint.endpoint",
    "azurerm_private_dns_zone_virtual_network_link.zone_links",
    "azurerm_subnet_network_security_group_association.app",
    "azurerm_subnet_network_security_group_association.endpoints",
)


def order(project: Project) -> Iterator[str]:
    """Report missing dependencies of the app. A start before its roles or network exist fails, possibly permanently."""
    (api,) = (found for file in project.bicep for found in file.of("module") if found.name == "api")
    awaited = api.at("dependsOn")
    for name in BICEP:
        if not isinstance(awaited, list) or name not in awaited:
            yield f"{api.place}: the app does not wait for {name}"
    site = project.terraform_resources()["azapi_resource.site"]
    awaited = site.arguments.get("depends_on")
    roles = (name for name in project.terraform_resources() if name.startswith("azurerm_role_assignment.app_"))
    for name in (*roles, *TERRAFORM):
        if not isinstance(awaited, list) or name not in awaited:
            yield f"{site.place}: the app does not wait for {name}"
