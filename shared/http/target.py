"""The path that a request asks for, whatever the host has done to it on its way."""

import re

from starlette.types import Scope

_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


def requested_path(scope: Scope) -> str:
    """Return the decoded path of a request, encoded slashes among them.

    The Functions host encodes again what it has not decoded: `%2F` arrives as `%252F`, which the server decodes to the text
    `%2F` (measured on host 4.1037). So a slash in a name, such as `azure/gpt-x`, arrives as one of the two.
    """
    path: str = scope["path"]
    return _ENCODED_SLASH.sub("/", path)
