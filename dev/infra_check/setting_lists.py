"""Consistency of the lists of settings: code, example file, Bicep, Terraform, reference page.

The code's list is that of the app under which this runs, `shared.config.settings`; the others are the project's files.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from dev.infra_check.evaluated import DEFAULTS as DEFAULT_CASE
from dev.infra_check.scanner import Node, Scanner, literal
from dev.infra_check.terraform import local_value
from dev.infra_check.tree import Project
from shared.config.settings import DECLARATIONS, SETTING_NAMES

# Settings for the platform. The app also reads the two of Application Insights.
PLATFORM = frozenset(
    {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "AzureWebJobsDisableHomepage",
        "AzureWebJobsStorage",
        "AzureWebJobsStorage__blobServiceUri",
        "AzureWebJobsStorage__clientId",
        "AzureWebJobsStorage__credential",
        "AzureWebJobsStorage__tableServiceUri",
        "FUNCTIONS_WORKER_RUNTIME",
        "PYTHON_ENABLE_INIT_INDEXING",
    }
)
DEFAULTS = {declaration.name: declaration.kind.default for declaration in DECLARATIONS.values()}
# Settings that a deployment never sets, with reasons. There are no other exceptions.
NOT_DEPLOYED = {
    declaration.name: f"development only: in Azure the app uses {declaration.instead_in_azure}"
    for declaration in DECLARATIONS.values()
    if declaration.instead_in_azure
}
# Settings whose value in the example file is that of the simulated Azure OpenAI.
EXAMPLES = frozenset({"AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT"})
# Platform settings of every deployment.
DEPLOYED_PLATFORM = PLATFORM - {
    "AzureWebJobsStorage",
    "AzureWebJobsStorage__tableServiceUri",  # only where the app keeps tables
    "FUNCTIONS_WORKER_RUNTIME",
}
# Entries that are not literal settings: they come from a variable, which is read separately.
_NAMED = re.compile(r"namedSettingList|tableSettings|local\.table_settings|for \w+, \w+ in local\.named_settings\s*:")
_TABLE_ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+|AzureWebJobs\w+)` \|", re.MULTILINE)


def example_settings(root: Path) -> dict[str, str]:
    """Return the values of local.settings.json.example."""
    values: dict[str, str] = json.loads((root / "local.settings.json.example").read_text(encoding="utf-8"))["Values"]
    return values


def bicep_settings(project: Project) -> dict[str, str | None]:
    """Return the app settings of the site that Bicep deploys by default; None for what only Azure knows."""
    sites = (found for found in project.evaluated if found.case == DEFAULT_CASE and found.type == "Microsoft.Web/sites")
    return {name: None if value.startswith("[") else value for site in sites for name, value in site.settings().items()}


def terraform_settings(project: Project) -> dict[str, str]:
    """Return the app settings of the site in Terraform, with their values as written."""
    site = project.terraform_resources().get("azapi_resource.site")
    return _settings(
        site.at("body.properties.siteConfig.appSettings") if site else None,
        (local_value(project.terraform, "default_settings"), local_value(project.terraform, "deployed_settings")),
        quote='"',
    )


def _settings(listed: Node | None, named: tuple[Node | None, ...], *, quote: str) -> dict[str, str]:
    """Return the settings by name. An unreadable entry is returned as its own text, which matches no setting's name."""
    found: dict[str, str] = {}
    for part in _parts(listed, quote):
        for entry in part if isinstance(part, list) else (part,):
            name = literal(entry.get("name")) if isinstance(entry, dict) else None
            if isinstance(entry, dict) and name and "value" in entry:
                found[name] = str(entry["value"])
            elif not _NAMED.fullmatch(str(entry.get("for") if isinstance(entry, dict) else entry)):
                found[" ".join(str(entry).split())] = ""
    for entries in named:
        if isinstance(entries, Mapping):
            found |= {name: str(value) for name, value in entries.items()}
    return found


def _parts(listed: Node | None, quote: str) -> list[Node]:
    """Return the concatenated lists, or the single list."""
    if isinstance(listed, str) and listed.startswith("concat("):
        parts = Scanner(f"[{listed.removeprefix('concat(').removesuffix(')')}]", quote).value()
        return parts if isinstance(parts, list) else [parts]
    return [] if listed is None else [listed]


def reference_settings(root: Path) -> list[str]:
    """Return the names in the table of docs/reference.md, in order; none if there is no such page."""
    page = root / "docs" / "reference.md"
    return _TABLE_ROW.findall(page.read_text(encoding="utf-8")) if page.exists() else []


def setting_lists(project: Project) -> Iterator[str]:
    """Report names that are missing in one of the lists, and defaults that differ."""
    code = frozenset(SETTING_NAMES)
    deployed = code - NOT_DEPLOYED.keys()
    example, reference = example_settings(project.root), reference_settings(project.root)
    bicep, terraform = bicep_settings(project), terraform_settings(project)
    yield from _compare("local.settings.json.example", frozenset(example), code)
    for problem in _compare("Bicep", frozenset(bicep), deployed | DEPLOYED_PLATFORM):
        yield f"{problem} (in what is stored: make check-infra STORE=1 stores what infra/ deploys)"
    yield from _compare("Terraform", frozenset(terraform), deployed | DEPLOYED_PLATFORM)
    yield from _compare("docs/reference.md", frozenset(reference), code)
    yield from _order("local.settings.json.example", example)
    yield from _order("docs/reference.md", reference)
    for found in project.evaluated:
        if found.type == "Microsoft.Web/sites/config" and found.name.endswith("/appsettings"):
            yield f"{found.place} replaces every setting of the app"
    for name in sorted(bicep.keys() & terraform.keys() & code):
        # Where Terraform has an expression, the tests compare what the two trees evaluate to.
        in_terraform = literal(terraform[name])
        if in_terraform is not None and in_terraform != bicep[name]:
            yield f"{name} is {bicep[name]} in Bicep and {in_terraform} in Terraform"
    yield from _defaults("local.settings.json.example", {name: example[name] for name in example.keys() - EXAMPLES})
    yield from _defaults("Bicep", {name: bicep[name] for name in bicep.keys() - EXAMPLES})


def _order(where: str, names: Iterable[str]) -> Iterator[str]:
    listed = [name for name in names if name in DEFAULTS]
    if listed != [name for name in SETTING_NAMES if name in listed]:
        yield f"{where} has the settings in another order than shared/config/settings.py"


def _defaults(where: str, values: Mapping[str, str | None]) -> Iterator[str]:
    """Report literal values that are not the app's own default; what an expression evaluates to is not known here."""
    for name, value in sorted(values.items()):
        if value is not None and value != DEFAULTS.get(name, value):
            yield f"{name} is {value!r} in {where} and {DEFAULTS[name]!r} by default"


def _compare(where: str, found: frozenset[str], expected: frozenset[str]) -> Iterator[str]:
    for name in sorted(expected - found):
        yield f"{where} lacks {name}"
    for name in sorted(found - expected - PLATFORM):
        reason = NOT_DEPLOYED.get(name, "the app does not read it")
        yield f"{where} has {name}: {reason}"
