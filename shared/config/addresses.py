"""Addresses in settings: read strictly, so that a password or a pasted key is never taken for a host."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_HOST = re.compile(r"[\w-]+(\.[\w-]+)*\.?|[0-9a-f:.]*:[0-9a-f:.]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An http or https address. `root` is `scheme://host[:port]` as written; `host` is in lower case, without brackets."""

    scheme: str
    host: str
    root: str
    path: str
    query: str
    fragment: str

    @classmethod
    def parse(cls, text: str) -> "Address | None":
        """Return the address, or None where the text as a whole is not one.

        An `@` anywhere makes it none: `https://user:1/secret@host` has the host `user` by RFC 3986, and credentials by
        what its author meant.
        """
        if "@" in text or not text.isprintable() or re.search(r"\s", text):
            return None
        try:
            parts = urlsplit(text)
            host = parts.hostname or ""
            parts.port  # noqa: B018 - reading it checks it
        except ValueError:
            return None
        if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
            return None
        root = f"{parts.scheme}://{parts.netloc}"
        return cls(
            scheme=parts.scheme, host=host, root=root, path=parts.path, query=parts.query, fragment=parts.fragment
        )
