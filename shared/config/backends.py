"""The backends that an answer can come from: parsed once from the settings, never changed after."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.config.addresses import Address, is_loopback, is_private
from shared.config.redaction import REPEATED, address, json_error, json_value, unknown_field
from shared.config.values import invalid_setting, is_name, parse_scope

AZURE_ADDRESS = (
    "an https address such as https://my-account.openai.azure.com (plain http only for this machine), "
    "without query, fragment or credentials"
)
SERVER_ADDRESS = (
    "an https address such as https://api.openai.com/v1 (plain http only for this machine or a private network), "
    "without query, fragment or credentials"
)
_OWNERS = {
    (True, False): "azure-openai",
    (True, True): "simulated",
    (False, False): "openai-compatible",
    (False, True): "local",
}
"""By whether it is Azure's API, and whether it is on this machine or, where it is not, on a private network."""
_FIELDS = frozenset({"name", "endpoint", "priority", "weight", "deployments", "scope"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One Azure OpenAI account (or, in development, one OpenAI-compatible server).

    `base_url` ends in a slash and takes paths such as `chat/completions`. `deployments` maps a model's name to the
    deployment that serves it here; empty means that any name is taken for a deployment. The lowest `priority` goes first;
    `weight` shares the work among equals.
    """

    name: str
    base_url: str
    priority: int = 1
    weight: int = 1
    deployments: Mapping[str, str] = field(default_factory=dict)
    scope: str
    is_azure: bool = True

    @property
    def owner(self) -> str:
        """Who runs the models, as a list of models says it: never an address.

        Azure OpenAI is on no loopback address: what speaks its API there is a simulation.
        """
        address = Address.parse(self.base_url)
        is_near = is_loopback if self.is_azure else is_private
        return _OWNERS[self.is_azure, address is not None and is_near(address.host)]

    def deployment(self, model: str) -> str | None:
        """Return the deployment that serves the model here, or None."""
        return self.deployments.get(model) if self.deployments else model


def single_backend(setting: str, url: str, *, scope: str, is_azure: bool) -> Backend:
    """Return the one backend that an address alone describes. Raise `Misconfigured`."""
    return Backend(name="default", base_url=_base_url(setting, url, is_azure=is_azure), scope=scope, is_azure=is_azure)


def parse_backends(text: str, *, default_scope: str) -> tuple[Backend, ...]:
    """Read AZURE_OPENAI_BACKENDS. Raise `Misconfigured`, which shows nothing of the text and of no text in it."""
    setting = "AZURE_OPENAI_BACKENDS"
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_setting(setting, json_error(text, error), "a JSON list of backends") from None
    if not isinstance(listed, list) or not listed:
        raise invalid_setting(setting, json_value(listed), "a JSON list with at least one backend")
    backends = tuple(_parse_backend(f"{setting}[{index}]", entry, default_scope) for index, entry in enumerate(listed))
    names = [backend.name for backend in backends]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise invalid_setting(f"{setting}[{index}].name", REPEATED, "a different name for each backend")
    return backends


def _parse_backend(where: str, entry: Any, default_scope: str) -> Backend:
    if not isinstance(entry, dict):
        raise invalid_setting(where, json_value(entry), 'an object such as {"name": "east", "endpoint": "https://…"}')
    if unknown := unknown_field(entry, _FIELDS):
        allowed = f"no fields other than {', '.join(sorted(_FIELDS))} (keys are not used: the app has its own identity)"
        raise invalid_setting(where, unknown, allowed)
    return Backend(
        name=_name(f"{where}.name", entry.get("name")),
        base_url=_account_url(f"{where}.endpoint", entry.get("endpoint")),
        priority=_whole_number(f"{where}.priority", entry.get("priority", 1), minimum=0),
        weight=_whole_number(f"{where}.weight", entry.get("weight", 1), minimum=1),
        deployments=_deployments(f"{where}.deployments", entry.get("deployments", {})),
        scope=_scope(f"{where}.scope", entry.get("scope", default_scope)),
    )


def _name(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not (value.isascii() and value.isprintable()):
        # It goes into a header and into the log.
        raise invalid_setting(where, json_value(value), "a name in plain ASCII")
    return value.strip()


def _account_url(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise invalid_setting(where, json_value(value), "an address such as https://my-account.openai.azure.com")
    return _base_url(where, value, is_azure=True)


def _whole_number(where: str, value: Any, *, minimum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise invalid_setting(where, json_value(value), f"a whole number of at least {minimum}")
    return value


def _deployments(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(is_name(name) for pair in value.items() for name in pair):
        raise invalid_setting(where, json_value(value), 'an object such as {"gpt-5": "my-deployment"}')
    return value


def _scope(where: str, value: Any) -> str:
    if not isinstance(value, str):
        allowed = "a token scope such as https://cognitiveservices.azure.com/.default"
        raise invalid_setting(where, json_value(value), allowed)
    return parse_scope(where, value)


def _base_url(where: str, url: str, *, is_azure: bool) -> str:
    url = url.strip()
    found = Address.parse(url)
    # With a token plain http never leaves this machine. Any other server is for development, on a network of one's own.
    may_be_plain = is_loopback if is_azure else is_private
    is_safe = found is not None and (found.scheme == "https" or may_be_plain(found.host))
    if found is None or not is_safe or found.query or found.fragment:
        raise invalid_setting(where, address(url), AZURE_ADDRESS if is_azure else SERVER_ADDRESS)
    path = found.path.rstrip("/")
    if is_azure and path not in ("", "/openai", "/openai/v1"):
        allowed = "the account's address alone, such as https://my-account.openai.azure.com"
        raise invalid_setting(where, address(url), allowed)
    return f"{found.root}/openai/v1/" if is_azure else f"{found.root}{path}/"
