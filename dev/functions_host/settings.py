"""What the host reads before it starts anything: host.json and local.settings.json, as Core Tools read them.

A variable of the environment wins over the settings file unless it is empty; an empty value in the file is unset, as on Linux;
`AzureFunctionsJobHost__…` wins over host.json. Tried with Core Tools 4.14.0.

Deliberately different:
- Core Tools read nothing of a file without `"IsEncrypted": false`, or with an object or a list among its values, and end with
  "Worker runtime cannot be 'None'". Here one line names what is invalid.
- Without a local.settings.json its example is read, and FUNCTIONS_WORKER_RUNTIME is `python` where nothing sets it: Core Tools
  need both.
- `--set` wins over all, also with an empty value.
- A shell in which CONTAINER_NAME is set is no special case (Core Tools take themselves for Linux Consumption there).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dev.functions_host.failure import UsageFailure
from dev.functions_host.json_file import read_object

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
    """Return the settings of the app in this folder; raise UsageFailure for what cannot be used."""
    host_json = app / "host.json"
    if not host_json.is_file():
        raise UsageFailure(f"{host_json} is missing: this is not the folder of a Functions app (see --app)")
    path, notes = _settings_file(app, file)
    local = read_object(path) if path else {}
    values = _values(path, local) if path else {}
    empty = {name: value for name, value in environment.items() if not value}
    variables = empty | _core_tools(app) | values | {name: value for name, value in environment.items() if value}
    variables |= dict(_override(one) for one in overrides)
    host = _with_overrides(read_object(host_json), variables)
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


def _values(path: Path, local: dict[str, Any]) -> dict[str, str]:
    if local.get("IsEncrypted", True) is not False:
        raise UsageFailure(f'{path} must say "IsEncrypted": false: Core Tools take a file without it for encrypted')
    listed = local.get("Values") or {}
    if not isinstance(listed, dict):
        raise UsageFailure(f"Values in {path} must be a JSON object of names and values")
    nested = next((name for name, value in listed.items() if isinstance(value, dict | list)), None)
    if nested is not None:
        raise UsageFailure(
            f"{nested} in {path} must be a text, not an object or a list: Core Tools read no value of such a file"
        )
    return {name: text for name, value in listed.items() if (text := _text(value))}


def _core_tools(app: Path) -> dict[str, str]:
    """Return what Core Tools set for the worker, below everything else.

    FUNCTIONS_CORETOOLS_ENVIRONMENT has the app write its log records to stderr (`shared.hosting.console`).
    """
    return {
        "AZURE_FUNCTIONS_ENVIRONMENT": "Development",
        "AzureWebJobsScriptRoot": str(app),
        "FUNCTIONS_CORETOOLS_ENVIRONMENT": "true",
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
    """Return the key as the mapping spells it: .NET's configuration ignores case."""
    return next((one for one in mapping if one.lower() == key.lower()), key)


def _seconds(text: object) -> float | None:
    """Return the seconds of `hh:mm:ss`, or None for `-1`, which is without end."""
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
