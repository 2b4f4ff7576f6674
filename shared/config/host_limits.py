"""How long the Functions host lets an invocation take: `functionTimeout`, from host.json or the environment.

The host cuts a stream at that age, even where the handler returned long ago, without an ending. So an answer ends before.

Read as the host does (ScriptJobHostOptionsSetup in Azure/azure-functions-host): AzureFunctionsJobHost__functionTimeout wins
over host.json, names are in any case of letters, a value is a .NET TimeSpan, and -1 is no limit. Defaults by plan:
https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout
"""

import json
import logging
import re
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from shared.config.redaction import size
from shared.config.values import invalid_setting

_log = logging.getLogger(__name__)

HOST_JSON = Path(__file__).resolve().parents[2] / "host.json"
"""Next to function_app.py."""
FUNCTION_TIMEOUT_MARGIN_SECONDS = 5.0
"""How long before functionTimeout an answer ends: as long as its error event may take to leave."""
DEFAULT_TIMEOUT_SECONDS = 1800.0
"""On Flex Consumption, Premium and Dedicated plans."""
CONSUMPTION_TIMEOUT_SECONDS = 300.0
"""On the legacy Consumption plan."""

_NAME = "functionTimeout"
_OVERRIDE = "AzureFunctionsJobHost__functionTimeout"
_TIME_SPAN = re.compile(
    r"(?:(?P<days>\d{1,7})\.)?(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})(?::(?P<seconds>\d{1,2}(?:\.\d{1,7})?))?"
)
_DAYS = re.compile(r"\d{1,7}")
_ALLOWED = "a time span such as 00:30:00, or -1 for no limit"


def max_answer_seconds(env: Mapping[str, str], host_json: Path = HOST_JSON) -> float:
    """Return how old an answer may become, infinite where there is no limit. Raise `Misconfigured`."""
    timeout = _function_timeout(env, host_json)
    return timeout - min(FUNCTION_TIMEOUT_MARGIN_SECONDS, timeout / 2) if timeout < inf else inf


def _function_timeout(env: Mapping[str, str], host_json: Path) -> float:
    if overrides := [value for name, value in env.items() if name.lower() == _OVERRIDE.lower()]:
        return _seconds(_OVERRIDE, overrides[0])
    for name, value in _host_settings(host_json).items():
        if name.lower() == _NAME.lower() and value is not None:
            return _seconds(f"{_NAME} in host.json", str(value))
    return CONSUMPTION_TIMEOUT_SECONDS if env.get("WEBSITE_SKU") == "Dynamic" else DEFAULT_TIMEOUT_SECONDS


def _host_settings(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        _log.warning("host.json cannot be read (%s): functionTimeout is taken to be its default", type(error).__name__)
        return {}
    return value if isinstance(value, dict) else {}


def _seconds(name: str, text: str) -> float:
    found = text.strip()
    if found == "-1":
        return inf
    if _DAYS.fullmatch(found):
        return int(found) * 86_400.0
    match = _TIME_SPAN.fullmatch(found)
    if match is None:
        raise invalid_setting(name, size(found), _ALLOWED)
    days, hours, minutes, seconds = (float(match[part] or 0) for part in ("days", "hours", "minutes", "seconds"))
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
