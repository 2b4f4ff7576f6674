"""Addresses that a page may link to, out of texts that nobody vouches for."""

import re
from urllib.parse import urlsplit

MAX_LINK_CHARACTERS = 2048
_NOT_IN_LINKS = re.compile(r"[\s\x00-\x1f\x7f\\\"<>^`{|}]")


def web_link(text: object) -> str:
    """Return the text where it is an http or https address that can be linked to as it is; '' for anything else."""
    if not isinstance(text, str) or len(text) > MAX_LINK_CHARACTERS or _NOT_IN_LINKS.search(text):
        return ""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return ""
    is_plain = parts.scheme in ("http", "https") and bool(host) and "@" not in parts.netloc
    return text if is_plain else ""
