"""Parameters to evaluate both trees with, and what the app makes of the outcome."""

from typing import Any

from shared.config.settings import Settings

ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.CognitiveServices/accounts"
CLIENT_ID = "11111111-2222-3333-4444-555555555555"
"""The client id of the app's identity."""
MINI = {"name": "mini", "model": "gpt-5.4-mini", "version": "2026-03-17", "sku": "GlobalStandard", "capacity": 30}
BIG = {"name": "big", "model": "gpt-5.4", "version": "2026-03-05", "sku": "Standard", "capacity": 9}
UNITS = {
    "name": "big-units",
    "sku": "ProvisionedManaged",
    "capacity": 50,
    "alias": "smart",
    "spilloverDeployment": "big",
}
SEVERAL = [
    {
        "name": "sweden",
        "location": "swedencentral",
        "deployments": [MINI | {"serviceTier": "Priority"}, BIG, BIG | UNITS],
    },
    {"name": "us", "priority": 2, "weight": 3, "deployments": [MINI]},
]
"""As in tests/infra/evaluated/accounts.bicepparam."""


def settings(site: Any) -> Settings:
    """The settings as the app would read them in Azure."""
    return Settings.from_env(app_settings(site) | {"WEBSITE_SITE_NAME": "func"})


def app_settings(site: Any) -> dict[str, str]:
    """The app settings of a site's body, by name. Each is there once."""
    listed = site["properties"]["siteConfig"]["appSettings"]
    named = {entry["name"]: entry["value"] for entry in listed}
    assert len(named) == len(listed)
    return named
