"""JSON files as Core Tools read them (Newtonsoft.Json): with comments, trailing commas and a byte order mark.

Single quotes and names without quotes, which Newtonsoft takes as well, are errors here.
"""

import json
import re
from pathlib import Path
from typing import Any

from dev.functions_host.failure import UsageFailure

_STRING = r'"(?:[^"\\]|\\.)*"'
_COMMENT = r"//[^\n]*|/\*.*?\*/"
_EXTRA = re.compile(rf"(?P<kept>{_STRING})|{_COMMENT}", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"(?P<kept>{_STRING})|,(?=\s*[\]}}])", re.DOTALL)


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a file, or raise UsageFailure."""
    try:
        text = path.read_text("utf-8-sig")
        for extra in (_EXTRA, _TRAILING_COMMA):
            text = extra.sub(_blank, text)
        value = json.loads(text)
    except (OSError, ValueError) as error:
        raise UsageFailure(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise UsageFailure(f"{path} must hold a JSON object")
    return value


def _blank(found: re.Match[str]) -> str:
    """Replace what JSON does not know by spaces, so that an error's line and column stay true."""
    return found["kept"] or re.sub(r"[^\n]", " ", found[0])
