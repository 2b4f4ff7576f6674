"""What the host reads before it starts anything: host.json and local.settings.json, as Core Tools reads them.

The environment wins over the settings file, `--set` wins over both, and `AzureFunctionsJobHost__…` wins over host.json.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.functions_host.failure import UsageFailure

SETTINGS_FILE = "local.settings.json"
EXAMPLE_FILE = "local.settings.json.example"
DEFAULT_PORT = 7071
LAST_PORT = 65535
DEFAULT_FUNCTION_TIMEOUT_SECONDS = 1800.0
DEFAULT_BODY_LIMIT_BYTES = 104_857_600
OVERRIDE_PREFIX = "azurefunctionsjobhost__"


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Parsed once; deeper code never looks into the environment."""

    app: Path
    environment: Mapping[str, str]
    route_prefix: str = "api"
    function_timeout_seconds: float | None = DEFAULT_FUNCTION_TIMEOUT_SECONDS
    body_limit_bytes: int = DEFAULT_BODY_LIMIT_BYTES
    homepage: bool = True
    port: int = DEFAULT_PORT
    notes: Sequence[str] = field(default=())


def read(app: Path, file: Path | None, environment: Mapping[str, str], overrides: Sequence[str]) -> HostSettings:
    """The settings of the app in this folder."""
    host_json = app / "host.json"
    if not host_json.is_file():
        raise UsageFailure(f"{host_json} is missing: this is not the folder of a Functions app (see --app)")
    path, notes = _settings_file(app, file)
    local = _json_object(path) if path else {}
    if local.get("IsEncrypted"):
        raise UsageFailure(f"{path} is encrypted: only Core Tools can read it")
    listed = local.get("Values") or {}
    if not isinstance(listed, dict):
        raise UsageFailure(f"Values in {path} must be a JSON object of names and values")
    values = {name: _text(value) for name, value in listed.items()}
    variables = _core_tools(app) | values | dict(environment) | dict(_override(one) for one in overrides)
    host = _with_overrides(_json_object(host_json), variables)
    return HostSettings(
        app=app,
        environment=variables,
        route_prefix=str(_at(host, "extensions", "http", "routePrefix", default="api")).strip("/"),
        function_timeout_seconds=_seconds(_at(host, "functionTimeout", default=None)),
        body_limit_bytes=_whole_number(variables, "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", DEFAULT_BODY_LIMIT_BYTES),
        homepage=variables.get("AzureWebJobsDisableHomepage", "").lower() != "true",
        port=_local_port(_at(local, "Host", "LocalHttpPort", default=DEFAULT_PORT)),
        notes=notes,
    )


def _settings_file(app: Path, file: Path | None) -> tuple[Path | None, tuple[str, ...]]:
    if file is not None:
        if not file.is_file():
            raise UsageFailure(f"The settings file {file} is missing")
        return file, ()
    if (app / SETTINGS_FILE).is_file():
        return app / SETTINGS_FILE, ()
    if (app / EXAMPLE_FILE).is_file():
        return app / EXAMPLE_FILE, (f"No {SETTINGS_FILE}: the settings are those of {EXAMPLE_FILE}",)
    return None, (f"No {SETTINGS_FILE}: the settings are those of the environment",)


def _json_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UsageFailure(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageFailure(f"{path} must hold a JSON object")
    return value


def _core_tools(app: Path) -> dict[str, str]:
    """What Core Tools sets for the worker, below everything else."""
    return {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "AzureWebJobsScriptRoot": str(app),
        "FUNCTIONS_WORKER_RUNTIME": "python",
    }


def _override(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator):
        raise UsageFailure(f"--set takes NAME=VALUE, not {text!r}")
    return name, value


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _with_overrides(host: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    for name, value in variables.items():
        if name.lower().startswith(OVERRIDE_PREFIX):
            *path, last = name[len(OVERRIDE_PREFIX) :].split("__")
            target = host
            for key in path:
                target = target.setdefault(_spelled(target, key), {})
            target[_spelled(target, last)] = value
    return host


def _at(value: Any, *path: str, default: Any) -> Any:
    for key in path:
        if not isinstance(value, dict) or _spelled(value, key) not in value:
            return default
        value = value[_spelled(value, key)]
    return value


def _spelled(mapping: Mapping[str, Any], key: str) -> str:
    """The key as the mapping spells it: .NET's configuration ignores case."""
    return next((one for one in mapping if one.lower() == key.lower()), key)


def _seconds(text: object) -> float | None:
    """`hh:mm:ss`; `-1` is without end."""
    if text is None:
        return DEFAULT_FUNCTION_TIMEOUT_SECONDS
    if str(text).strip() == "-1":
        return None
    try:
        hours, minutes, seconds = str(text).split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError as error:
        raise UsageFailure(f"functionTimeout in host.json must be hh:mm:ss or -1, not {text!r}") from error


def _local_port(value: object) -> int:
    text = str(value).strip()
    if not (text.isdecimal() and int(text) <= LAST_PORT):
        raise UsageFailure(f"LocalHttpPort in {SETTINGS_FILE} must be a port, not {value!r}")
    return int(text)


def _whole_number(variables: Mapping[str, str], name: str, default: int) -> int:
    text = variables.get(name, "").strip()
    return int(text) if text.isdigit() else default
