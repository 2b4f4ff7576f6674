"""The backends that an answer can come from: parsed once from the settings, never changed after."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from shared.config.values import check_scope, shown, wrong
from shared.errors import Misconfigured

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*", re.IGNORECASE)
_SECRETS = re.compile(r"(?<=//)[^/?]*(?=@)|(?<=\?).+")
"""Credentials and the query: what a sentence doesn't show of an address."""
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

    def deployment(self, model: str) -> str | None:
        """The deployment that serves the model here, or None."""
        return self.deployments.get(model) if self.deployments else model


def single_backend(setting: str, url: str, *, scope: str, is_azure: bool) -> Backend:
    """The one backend that an address alone describes."""
    return Backend(name="default", base_url=_base_url(setting, url, is_azure=is_azure), scope=scope, is_azure=is_azure)


def parse_backends(text: str, *, default_scope: str) -> tuple[Backend, ...]:
    """Reads AZURE_OPENAI_BACKENDS. Raises `Misconfigured` with a sentence for every way to get it wrong."""
    setting = "AZURE_OPENAI_BACKENDS"
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError):
        raise wrong(setting, text, "a JSON list of backends, and this is not JSON") from None
    if not isinstance(listed, list) or not listed:
        raise wrong(setting, text, "a JSON list with at least one backend")
    backends = tuple(_parse_one(f"{setting}[{index}]", entry, default_scope) for index, entry in enumerate(listed))
    names = [backend.name for backend in backends]
    for name in names:
        if names.count(name) > 1:
            raise Misconfigured(
                f"{setting} has {names.count(name)} backends named {shown(name)}; expected unique names."
            )
    return backends


def _parse_one(where: str, entry: Any, default_scope: str) -> Backend:
    if not isinstance(entry, dict):
        raise wrong(where, entry, 'an object such as {"name": "east", "endpoint": "https://…"}')
    unknown = sorted(entry.keys() - _FIELDS)
    if unknown:
        raise wrong(
            f"{where}.{unknown[0]}", entry[unknown[0]], "no such field; allowed are " + ", ".join(sorted(_FIELDS))
        )
    name, endpoint = entry.get("name"), entry.get("endpoint")
    if not isinstance(name, str) or not name.strip() or not (name.isascii() and name.isprintable()):
        raise wrong(f"{where}.name", name, "a name in plain ASCII")  # it goes into a header and into the log
    if not isinstance(endpoint, str) or not endpoint.strip():
        raise wrong(f"{where}.endpoint", endpoint, "an address such as https://my-account.openai.azure.com")
    deployments = entry.get("deployments", {})
    if not isinstance(deployments, dict) or not all(isinstance(v, str) and v and k for k, v in deployments.items()):
        raise wrong(f"{where}.deployments", deployments, 'an object such as {"gpt-5": "my-deployment"}')
    scope = entry.get("scope", default_scope)
    if not isinstance(scope, str):
        raise wrong(f"{where}.scope", scope, "a token scope such as https://cognitiveservices.azure.com/.default")
    return Backend(
        name=name.strip(),
        base_url=_base_url(f"{where}.endpoint", endpoint, is_azure=True),
        priority=_whole(f"{where}.priority", entry.get("priority", 1), least=0),
        weight=_whole(f"{where}.weight", entry.get("weight", 1), least=1),
        deployments=deployments,
        scope=check_scope(f"{where}.scope", scope),
    )


def _whole(where: str, value: Any, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise wrong(where, value, f"a whole number of at least {least}")
    return value


def _base_url(where: str, url: str, *, is_azure: bool) -> str:
    allowed = "an https address (plain http only for this machine), without query, fragment or credentials"
    url = url.strip()
    found = _SECRETS.sub("…", url)
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise wrong(where, found, allowed) from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    is_host = host is not None and _HOST.fullmatch(host) is not None
    is_bare = not (parts.query or parts.fragment or parts.username is not None or re.search(r"\s", url))
    if not (is_host and is_safe and is_bare):
        raise wrong(where, found, allowed)
    path = parts.path.rstrip("/")
    if is_azure and path not in ("", "/openai", "/openai/v1"):
        raise wrong(where, found, "the account's address alone, such as https://my-account.openai.azure.com")
    root = f"{parts.scheme}://{parts.netloc}"
    return f"{root}/openai/v1/" if is_azure else f"{root}{path}/"
