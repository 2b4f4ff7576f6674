"""The tools of CHAT_TOOLS, which run at the model's service: https://platform.openai.com/docs/guides/tools."""

import json
from collections.abc import Mapping
from typing import Any

from shared.config.declarations import Kind
from shared.config.redaction import json_error, json_value, word
from shared.config.values import invalid_setting

_FORM = 'a JSON list of tools that the service itself runs, such as [{"type": "web_search"}]'
_KNOWN = ("web_search", "web_search_preview", "file_search", "code_interpreter", "mcp")


def chat_tools() -> Kind[tuple[Mapping[str, Any], ...]]:
    """Return the kind of CHAT_TOOLS. Raise `Misconfigured` as `_parse` does."""
    return Kind("", _FORM, _parse)


def _parse(name: str, text: str) -> tuple[Mapping[str, Any], ...]:
    """Return the tools. Raise `Misconfigured` for one that the service would not run by itself, or would ask somebody about."""
    if not text:
        return ()
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid_setting(name, json_error(text, error), _FORM) from None
    if not isinstance(listed, list) or not listed:
        raise invalid_setting(name, json_value(listed), _FORM)
    for index, tool in enumerate(listed):
        _check(f"{name}[{index}]", tool)
    return tuple(listed)


def _check(where: str, tool: Any) -> None:
    if not isinstance(tool, dict):
        raise invalid_setting(where, json_value(tool), "an object with a type")
    kind = tool.get("type")
    if not isinstance(kind, str) or kind not in _KNOWN:
        found = word(kind, _KNOWN) if isinstance(kind, str) else json_value(kind)
        raise invalid_setting(f"{where}.type", found, "one of " + ", ".join(_KNOWN))
    if kind == "mcp" and tool.get("require_approval") != "never":
        # The answer would stop at a question that no client of the chat API can answer.
        raise invalid_setting(f"{where}.require_approval", json_value(tool.get("require_approval")), '"never"')
