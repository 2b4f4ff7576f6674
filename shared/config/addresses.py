"""Addresses in settings: read strictly, so that a password or a pasted key is never taken for a host."""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
"""Names that no public DNS has: RFC 6761, 6762, 8375, ICANN's `.internal`, and what home routers hand out."""
_SHARED = IPv4Network("100.64.0.0/10")
"""RFC 6598: overlay networks such as Tailscale."""
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


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine by name or address."""
    return host in _LOOPBACK


def is_private(host: str) -> bool:
    """Return whether the host is this machine or on a private network: by address, by suffix, or a name without a dot.

    `host.docker.internal`, a service of Docker Compose, Windows seen from WSL 2, a machine of one's own network.
    """
    name = host.removesuffix(".")
    if name in _LOOPBACK or name.endswith(_PRIVATE_SUFFIXES):
        return True
    try:
        found: IPv4Address | IPv6Address = ip_address(name)
    except ValueError:
        return "." not in name and ":" not in name and not name.isdigit()
    return found.is_private or (isinstance(found, IPv4Address) and found in _SHARED)
