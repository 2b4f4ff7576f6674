"""The security checklist, property by property. infra/README.md lists where each of its lines is met."""

from collections.abc import Iterator

from dev.infra_check.tree import Project

# Bicep resource type, path of a property, required value.
REQUIRED: tuple[tuple[str, str, str | bool | int], ...] = (
    ("Microsoft.Storage/storageAccounts", "kind", "StorageV2"),
    ("Microsoft.Storage/storageAccounts", "properties.allowSharedKeyAccess", False),
    ("Microsoft.Storage/storageAccounts", "properties.defaultToOAuthAuthentication", True),
    ("Microsoft.Storage/storageAccounts", "properties.allowBlobPublicAccess", False),
    ("Microsoft.Storage/storageAccounts", "properties.allowCrossTenantReplication", False),
    ("Microsoft.Storage/storageAccounts", "properties.supportsHttpsTrafficOnly", True),
    ("Microsoft.Storage/storageAccounts", "properties.minimumTlsVersion", "TLS1_2"),
    ("Microsoft.Storage/storageAccounts/blobServices", "properties.deleteRetentionPolicy.enabled", True),
    ("Microsoft.Storage/storageAccounts/blobServices", "properties.containerDeleteRetentionPolicy.enabled", True),
    ("Microsoft.Storage/storageAccounts/blobServices/containers", "properties.publicAccess", "None"),
    ("Microsoft.CognitiveServices/accounts", "properties.disableLocalAuth", True),
    ("Microsoft.CognitiveServices/accounts", "sku.name", "S0"),
    ("Microsoft.CognitiveServices/accounts/deployments", "properties.raiPolicyName", "Microsoft.DefaultV2"),
    (
        "Microsoft.CognitiveServices/accounts/deployments",
        "properties.versionUpgradeOption",
        "OnceCurrentVersionExpired",
    ),
    ("Microsoft.Web/serverfarms", "sku.name", "FC1"),
    ("Microsoft.Web/serverfarms", "properties.reserved", True),
    ("Microsoft.Web/sites", "kind", "functionapp,linux"),
    ("Microsoft.Web/sites", "identity.type", "UserAssigned"),
    ("Microsoft.Web/sites", "properties.httpsOnly", True),
    (
        "Microsoft.Web/sites",
        "properties.functionAppConfig.deployment.storage.authentication.type",
        "UserAssignedIdentity",
    ),
    ("Microsoft.Web/sites", "properties.functionAppConfig.runtime.name", "python"),
    ("Microsoft.Web/sites", "properties.siteConfig.minTlsVersion", "1.2"),
    ("Microsoft.Web/sites", "properties.siteConfig.scmMinTlsVersion", "1.2"),
    ("Microsoft.Web/sites", "properties.siteConfig.cors.supportCredentials", False),
    ("Microsoft.Web/sites/basicPublishingCredentialsPolicies", "properties.allow", False),
    ("Microsoft.Web/sites/config", "properties.platform.enabled", True),
    ("Microsoft.Web/sites/config", "properties.globalValidation.requireAuthentication", True),
    ("Microsoft.Web/sites/config", "properties.globalValidation.unauthenticatedClientAction", "Return401"),
    ("Microsoft.Web/sites/config", "properties.login.tokenStore.enabled", False),
    ("Microsoft.Insights/components", "properties.DisableLocalAuth", True),
    ("Microsoft.OperationalInsights/workspaces", "properties.features.disableLocalAuth", True),
    ("Microsoft.KeyVault/vaults", "properties.enableRbacAuthorization", True),
    ("Microsoft.KeyVault/vaults", "properties.enablePurgeProtection", True),
    ("Microsoft.Search/searchServices", "properties.disableLocalAuth", True),
    ("Microsoft.Search/searchServices", "properties.networkRuleSet.bypass", "None"),
    ("Microsoft.Cdn/profiles", "sku.name", "Premium_AzureFrontDoor"),
    ("Microsoft.Cdn/profiles", "properties.originResponseTimeoutSeconds", 240),
    ("Microsoft.Cdn/profiles/afdEndpoints/routes", "properties.forwardingProtocol", "HttpsOnly"),
    ("Microsoft.Cdn/profiles/originGroups/origins", "properties.enforceCertificateNameCheck", True),
    ("Microsoft.Network/FrontDoorWebApplicationFirewallPolicies", "properties.policySettings.mode", "Prevention"),
)
# Properties that must be set, whatever their value.
PRESENT = (
    ("Microsoft.Web/sites", "properties.keyVaultReferenceIdentity"),
    ("Microsoft.Web/sites", "properties.functionAppConfig.runtime.version"),
    ("Microsoft.Web/sites", "properties.functionAppConfig.scaleAndConcurrency.instanceMemoryMB"),
    ("Microsoft.Web/sites", "properties.functionAppConfig.scaleAndConcurrency.maximumInstanceCount"),
    ("Microsoft.Web/sites", "properties.functionAppConfig.scaleAndConcurrency.triggers.http.perInstanceConcurrency"),
    ("Microsoft.CognitiveServices/accounts", "properties.customSubDomainName"),
    ("Microsoft.Insights/components", "properties.WorkspaceResourceId"),
)


def checklist(project: Project) -> Iterator[str]:
    """Report properties that do not have the required value. Terraform is covered by the parity checks."""
    for resource_type in sorted(
        {row[0] for row in (*REQUIRED, *PRESENT)} - {found.type for found in project.evaluated}
    ):
        yield f"Bicep creates no {resource_type}"
    for found in project.evaluated:
        for resource_type, path, expected in REQUIRED:
            if found.type == resource_type and found.at(path) != expected:
                yield f"{found.place}: {path} has to be {expected}, but is {found.at(path)}"
        for resource_type, path in PRESENT:
            if found.type == resource_type and found.at(path) in (None, ""):
                yield f"{found.place}: {path} is not set"
