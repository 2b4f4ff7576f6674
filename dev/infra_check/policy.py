"""Rules for both trees. Each is a function that takes the project and yields one message per violation."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from dev.infra_check.evaluated import Resource
from dev.infra_check.scanner import leaves, literal
from dev.infra_check.setting_lists import terraform_settings
from dev.infra_check.terraform import blocks_of
from dev.infra_check.tree import Project

# Storage Blob Data Owner and Table Data Contributor, Monitoring Metrics Publisher, Key Vault Secrets User and Officer,
# Cognitive Services OpenAI User and Contributor, Search Index Data Reader and Contributor, Search Service Contributor (which
# lists no keys where local authentication is off).
ALLOWED_ROLES = frozenset(
    {
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3",
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "4633458b-17de-408a-b874-0445c86b69e6",
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        "a001fd3d-188f-4b5d-821b-7da978bf7442",
        "1407120a-92aa-4202-b7e9-c0e197c71c8f",
        "8ebe5a00-799e-43f5-93ac-243d3dce84a7",
        "7ca78c08-252a-4471-8644-bb5ff32d4ba0",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional:
    """A role that the app has only where a setting of the operator's needs it."""

    setting: str
    is_needed: Callable[[Mapping[str, str]], bool]
    """Whether these settings need the role."""
    beside: str
    """The id of the role that the app always has, on the same resources."""
    terraform: str
    """The local that says in Terraform where the role is needed."""


CONDITIONAL_ROLES = {
    # Storage Table Data Contributor, beside Storage Blob Data Owner.
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": Conditional(
        setting="CALLER_LIMITS or OPERATORS",
        is_needed=lambda settings: bool(settings.get("CALLER_LIMITS") or settings.get("OPERATORS")),
        beside="b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        terraform="local.uses_tables",
    ),
    # Cognitive Services OpenAI Contributor, beside Cognitive Services OpenAI User.
    "a001fd3d-188f-4b5d-821b-7da978bf7442": Conditional(
        setting="OPENAI_STATEFUL=on",
        is_needed=lambda settings: settings.get("OPENAI_STATEFUL", "").strip().lower() == "on",
        beside="5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
        terraform="local.keeping_account_ids",
    ),
}
# siteConfig properties that Flex Consumption rejects, and healthCheckPath, which has no effect there.
REJECTED_SITE_CONFIG = frozenset(
    {
        "ftpsState",
        "use32BitWorkerProcess",
        "preWarmedInstanceCount",
        "netFrameworkVersion",
        "functionsRuntimeScaleMonitoringEnabled",
        "linuxFxVersion",
        "windowsFxVersion",
        "pythonVersion",
        "healthCheckPath",
    }
)
# Settings that the platform sets, ignores or rejects on Flex Consumption, and settings that hold a key.
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
# Names that look like secrets: telemetry requires an Entra token, and the keys are a Key Vault reference to hashes.
_NOT_SECRET = {"APPLICATIONINSIGHTS_CONNECTION_STRING": r"", "CALLER_KEYS": r"@Microsoft\.KeyVault\(SecretUri="}
# Not the slashes of a URL, which a key may follow.
_COMMENT = re.compile(r"(?:^|\s)(?://|#)")
_KEY_READERS = re.compile(
    r"\blist(Keys|AdminKeys|AccountSas|ServiceSas|Secrets)\b|AccountKey=|SharedAccessSignature|"
    r"\.(primary|secondary)_(access_key|connection_string|blob_connection_string|shared_key)\b|\binstrumentation_key\b"
)


def roles(project: Project) -> Iterator[str]:
    """Report roles that are not in `ALLOWED_ROLES`, not assigned on a single resource, or not needed."""
    yield from _needed(project)
    for found in project.evaluated:
        if found.type != "Microsoft.Authorization/roleAssignments":
            continue
        if not found.is_on_one_resource:
            yield f"{found.place}: the role is not on one resource (id: {found.body['id']})"
        role = _role_of(found)
        if role not in ALLOWED_ROLES:
            yield f"{found.place}: a role that is not in ALLOWED_ROLES ({role})"
        if found.at("properties.principalType") is None:
            yield f"{found.place}: the role has no principalType"
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
        role = _role_id(str(block.at("role_definition_id")), ids)
        if role not in ALLOWED_ROLES:
            yield f"{block.place}: {address} assigns a role that is not in ALLOWED_ROLES ({role})"
        condition = CONDITIONAL_ROLES.get(role)
        if condition and condition.terraform not in f"{block.at('count')} {block.at('for_each')}":
            yield f"{block.place}: the role {address} is only for {condition.setting} ({condition.terraform})"
        if block.at("principal_type") is None:
            yield f"{block.place}: the role {address} has no principal_type"


def _needed(project: Project) -> Iterator[str]:
    for site in project.evaluated:
        if site.type != "Microsoft.Web/sites":
            continue
        scopes: dict[str, set[str]] = {}
        for found in project.evaluated:
            if found.case == site.case and found.type == "Microsoft.Authorization/roleAssignments":
                scopes.setdefault(_role_of(found), set()).add(found.role_scope)
        for role, condition in CONDITIONAL_ROLES.items():
            given = scopes.get(role, set())
            needed = scopes.get(condition.beside, set()) if condition.is_needed(site.settings()) else set()
            for scope in sorted(given - needed):
                yield f"{site.place}: the role {role}, only for {condition.setting}, is given on {scope}"
            for scope in sorted(needed - given):
                yield f"{site.place}: {condition.setting} needs the role {role} on {scope}"


def _role_of(assignment: Resource) -> str:
    return str(assignment.at("properties.roleDefinitionId")).rpartition("/")[2]


def _role_id(definition: str, ids: Mapping[str, str]) -> str:
    used = re.search(r"role_ids\.(\w+)", definition)
    return (literal(ids.get(used.group(1), "")) if used else None) or definition


def keyless(project: Project) -> Iterator[str]:
    """Report keys that are read, passed on or set."""
    texts = {file.path: file.text for file in project.bicep} | {file.path: file.text for file in project.terraform}
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if _KEY_READERS.search(_COMMENT.split(line)[0]):
                yield f"infra/{path}:{number}: reads or holds a key: {line.strip()}"
    bicep = {
        (name, value)
        for site in project.evaluated
        for name, value in site.settings().items()
        if value or name in FORBIDDEN_SETTINGS  # an empty value is none
    }
    for name, value in bicep:
        if _KEY_READERS.search(value):
            yield f"Bicep sets {name} to what reads or holds a key"
    for tree, settings in (("Bicep", bicep), ("Terraform", set(terraform_settings(project).items()))):
        for name, value in sorted(settings):
            if name in FORBIDDEN_SETTINGS:
                yield f"{tree} sets {name}, which is forbidden: it holds a key, or the platform sets or rejects it"
            elif _SECRET_NAME.search(name) and not re.search(_NOT_SECRET.get(name, r"\A(?!)"), value):
                yield f"{tree} sets {name}, which looks like a secret and is not a Key Vault reference"


def streams(project: Project) -> Iterator[str]:
    """Report settings that buffer streams, and settings that Flex Consumption rejects."""
    for site in project.evaluated:
        for path in site.at("properties.siteConfig") or () if site.type == "Microsoft.Web/sites" else ():
            if path in REJECTED_SITE_CONFIG:
                yield f"{site.place}: Flex Consumption rejects properties.siteConfig.{path}"
        if "*" in (site.at("properties.siteConfig.cors.allowedOrigins") or ()):
            yield f"{site.place}: any origin may call"
        if site.type.endswith("/routes") and site.at("properties.cacheConfiguration") is not None:
            yield f"{site.place}: a cache or compression in Front Door buffers streams"
    for found in project.bicep_resources().values():
        # Of the order in which resources are made an evaluated deployment says nothing.
        if found.resource_type.endswith("accounts/deployments") and "batchSize(1)" not in found.decorators:
            yield f"{found.place}: deployments of one account have to be created one at a time: @batchSize(1)"
    for address, block in project.terraform_resources().items():
        if address.startswith("azurerm_cdn_frontdoor_route.") and block.at("cache") is not None:
            yield f"{block.place}: a cache or compression in Front Door buffers streams"


def readable(project: Project) -> Iterator[str]:
    """Report parameters and outputs without a description, and syntax that some tools cannot read."""
    for file in project.bicep:
        if re.search(r"=>", file.text):
            yield f"infra/{file.path}: a lambda, which some checkers cannot read"
        if "br/public:" in file.text:
            yield f"infra/{file.path}: a registry module, which cannot be checked offline"
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
