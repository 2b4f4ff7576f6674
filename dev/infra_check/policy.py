"""The rules that neither tree may break. Each is a function from the project to the sentences about what breaks it."""

import re
from collections.abc import Iterator

from dev.infra_check.scanner import leaves, literal
from dev.infra_check.setting_lists import bicep_settings, terraform_settings
from dev.infra_check.terraform import blocks_of
from dev.infra_check.tree import Project

# Storage Blob Data Owner, Monitoring Metrics Publisher, Key Vault Secrets User and Officer, Cognitive Services OpenAI User.
ALLOWED_ROLES = frozenset(
    {
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "4633458b-17de-408a-b874-0445c86b69e6",
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    }
)
# siteConfig that Flex Consumption refuses.
REFUSED_SITE_CONFIG = frozenset(
    {
        "ftpsState",
        "use32BitWorkerProcess",
        "preWarmedInstanceCount",
        "netFrameworkVersion",
        "functionsRuntimeScaleMonitoringEnabled",
        "linuxFxVersion",
        "windowsFxVersion",
        "pythonVersion",
    }
)
# Settings that the platform sets itself, ignores or refuses on Flex Consumption, and those that hold a key.
FORBIDDEN_SETTINGS = frozenset(
    {
        "AzureWebJobsStorage",
        "AzureWebJobsDashboard",
        "APPINSIGHTS_INSTRUMENTATIONKEY",
        "AZURE_OPENAI_API_KEY",
        "OPENAI_API_KEY",
        "FUNCTIONS_WORKER_RUNTIME",
        "FUNCTIONS_WORKER_RUNTIME_VERSION",
        "FUNCTIONS_EXTENSION_VERSION",
        "WEBSITE_RUN_FROM_PACKAGE",
        "WEBSITE_CONTENTSHARE",
        "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING",
        "WEBSITE_CONTENTOVERVNET",
        "WEBSITE_VNET_ROUTE_ALL",
        "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT",
        "SCM_DO_BUILD_DURING_DEPLOYMENT",
        "ENABLE_ORYX_BUILD",
        "FUNCTIONS_MAX_HTTP_CONCURRENCY",
        "FUNCTIONS_WORKER_PROCESS_COUNT",
        "WEBSITE_TIME_ZONE",
        "TZ",
    }
)
_SECRET_NAME = re.compile(r"(_KEY|_KEYS|_SECRET|_PASSWORD|_TOKEN|CONNECTION_?STRING)$", re.IGNORECASE)
# Named like a secret, and none: telemetry needs an Entra token there, and the keys are a Key Vault reference to hashes.
_HARMLESS = {"APPLICATIONINSIGHTS_CONNECTION_STRING": r"", "CALLER_KEYS": r"@Microsoft\.KeyVault\(SecretUri="}
# Not the slashes of an address, behind which a key may stand.
_COMMENT = re.compile(r"(?:^|\s)(?://|#)")
_KEY_READERS = re.compile(
    r"\blist(Keys|AdminKeys|AccountSas|ServiceSas|Secrets)\b|AccountKey=|SharedAccessSignature|"
    r"\.(primary|secondary)_(access_key|connection_string|blob_connection_string|shared_key)\b|\binstrumentation_key\b"
)


def roles(project: Project) -> Iterator[str]:
    """A role is one of the few, on one resource, never on a group or a subscription."""
    for file in project.bicep:
        symbols = {found.name: found.resource_type for found in file.of("resource")}
        ids = {
            path: value
            for found in file.of("var")
            if found.name == "roleIds"
            for path, value in leaves(found.body).items()
        }
        for found in file.of("resource"):
            if found.resource_type != "Microsoft.Authorization/roleAssignments":
                continue
            scope = found.at("scope")
            if not isinstance(scope, str) or symbols.get(scope) in (None, "Microsoft.Resources/resourceGroups"):
                yield f"{found.place}: the role {found.name} is not on one resource (scope: {scope or 'the resource group'})"
            yield from _role_id(found.place, found.name, str(found.at("properties.roleDefinitionId")), ids)
            if found.at("properties.principalType") is None:
                yield f"{found.place}: the role {found.name} has no principalType"
    ids = {
        path: value
        for block in blocks_of(project.terraform, "locals")
        for path, value in leaves(block.arguments.get("role_ids", {})).items()
    }
    for address, block in project.terraform_resources().items():
        if not address.startswith("azurerm_role_assignment."):
            continue
        scope = str(block.at("scope"))
        one_resource = scope == "each.value" or re.fullmatch(r"azurerm_[\w.]+(\[0\])?\.id", scope)
        if not one_resource or "azurerm_resource_group" in scope:
            yield f"{block.place}: the role {address} is not on one resource (scope: {scope})"
        yield from _role_id(block.place, address, str(block.at("role_definition_id")), ids)
        if block.at("principal_type") is None:
            yield f"{block.place}: the role {address} has no principal_type"


def _role_id(place: str, name: str, definition: str, ids: dict[str, str]) -> Iterator[str]:
    used = re.search(r"(?:roleIds|role_ids)\.(\w+)", definition)
    role = literal(ids.get(used.group(1), "")) if used else None
    if role not in ALLOWED_ROLES:
        yield f"{place}: {name} gives a role that is not one of the few that are needed ({definition})"


def keyless(project: Project) -> Iterator[str]:
    """No key is read, passed on or set."""
    texts = {file.path: file.text for file in project.bicep} | {file.path: file.text for file in project.terraform}
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if _KEY_READERS.search(_COMMENT.split(line)[0]):
                yield f"infra/{path}:{number}: reads or holds a key: {line.strip()}"
    for tree, settings in (("Bicep", bicep_settings(project)), ("Terraform", terraform_settings(project))):
        for name, value in settings.items():
            if name in FORBIDDEN_SETTINGS:
                yield f"{tree} sets {name}, which is forbidden: it holds a key, or the platform sets or refuses it"
            elif _SECRET_NAME.search(name) and not re.search(_HARMLESS.get(name, r"\A(?!)"), value):
                yield f"{tree} sets {name}, which looks like a secret and is no Key Vault reference"


def streams(project: Project) -> Iterator[str]:
    """Nothing on the way holds a stream back, and nothing that Flex Consumption refuses is set."""
    for found in project.bicep_resources().values():
        if found.resource_type == "Microsoft.Web/sites":
            for path in leaves(found.body):
                if path.startswith("properties.siteConfig.") and path.split(".")[2] in REFUSED_SITE_CONFIG:
                    yield f"{found.place}: Flex Consumption refuses {path}"
            if "'*'" in str(found.at("properties.siteConfig.cors.allowedOrigins")):
                yield f"{found.place}: any origin may call"
        if found.resource_type.endswith("/routes") and found.at("properties.cacheConfiguration") is not None:
            yield f"{found.place}: a cache or compression in Front Door holds a stream back"
        if found.resource_type.endswith("accounts/deployments") and "batchSize(1)" not in found.decorators:
            yield f"{found.place}: deployments of one account have to be made one at a time: @batchSize(1)"
    for address, block in project.terraform_resources().items():
        if address.startswith("azurerm_cdn_frontdoor_route.") and block.at("cache") is not None:
            yield f"{block.place}: a cache or compression in Front Door holds a stream back"


def readable(project: Project) -> Iterator[str]:
    """Every parameter and output says what it is, and every tool can read the files."""
    for file in project.bicep:
        if re.search(r"=>", file.text):
            yield f"infra/{file.path}: a lambda, which some checkers cannot read"
        if "br/public:" in file.text:
            yield f"infra/{file.path}: a module of a registry, which cannot be checked offline"
        for found in file.of("param"):
            yield from _described(found.place, found.name, found.description, has_default=found.value != "")
        for found in file.of("output"):
            if not found.description:
                yield f"{found.place}: the output {found.name} has no description"
    for block in blocks_of(project.terraform, "variable"):
        text = literal(block.at("description")) or ""
        yield from _described(block.place, block.address, text, has_default=block.at("default") is not None)
    for block in blocks_of(project.terraform, "output"):
        if not literal(block.at("description")):
            yield f"{block.place}: the output {block.address} has no description"


def _described(place: str, name: str, description: str, *, has_default: bool) -> Iterator[str]:
    first = "Optional. " if has_default else "Required. "
    if not description.startswith(first):
        yield f"{place}: the description of {name} has to start with {first!r}"
