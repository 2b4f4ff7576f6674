"""Forward proxies, as companies' networks set them: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY, in either case of letters.

Read once at start, like a setting. They are variables of the platform, which other programs read too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from shared.config.redaction import size
from shared.config.values import invalid_setting

VARIABLES = tuple(
    spelling for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for spelling in (name, name.upper())
)
_ALLOWED = "the http address of a proxy, such as http://proxy.example:3128"
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proxies:
    """Which proxy a connection goes through.

    `by_scheme`: addresses, with credentials where the proxy asks for some. `direct`: the entries of NO_PROXY in lower case:
    hosts, suffixes of hosts, either with a port, or `*`.
    """

    by_scheme: Mapping[str, str] = field(default_factory=dict)
    direct: frozenset[str] = frozenset()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Proxies":
        """Read the variables; of two spellings of one name the lower case counts, as in curl. Raise `Misconfigured`."""
        set_to = {name: env.get(name, "").strip() for name in VARIABLES}
        for_all = _proxy(set_to, "all_proxy")
        found = {scheme: _proxy(set_to, f"{scheme}_proxy") or for_all for scheme in ("http", "https")}
        direct = set_to["no_proxy"] or set_to["NO_PROXY"]
        return cls(
            {scheme: proxy for scheme, proxy in found.items() if proxy},
            frozenset(re.split(r"[\s,]+", direct.lower())) - {""},
        )

    def proxy_for(self, scheme: str, host: str, port: int | None) -> str | None:
        """Return the proxy's address; None for a direct connection, which what is on this machine always gets."""
        proxy = self.by_scheme.get(scheme)
        host = host.lower().removesuffix(".")
        return None if proxy is None or _is_here(host) or self._is_direct(host, port) else proxy

    def _is_direct(self, host: str, port: int | None) -> bool:
        names = (host, f"{host}:{port}")
        return any(one == "*" or _fits(one.removeprefix("*").lstrip("."), names) for one in self.direct)


DIRECT = Proxies()
"""No proxy for anything."""


def _fits(entry: str, names: tuple[str, ...]) -> bool:
    return any(name == entry or name.endswith(f".{entry}") for name in names)


def _is_here(host: str) -> bool:
    """Return whether it is this machine, or what only this machine reaches: the platform's metadata and identity."""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_link_local


def _proxy(set_to: Mapping[str, str], name: str) -> str:
    """Return the proxy's address, '' where none is set. Raise `Misconfigured`, which shows nothing of it."""
    spelling = name if set_to[name] else name.upper()
    text = set_to[spelling]
    if not text:
        return ""
    address = text if "://" in text else f"http://{text}"
    if not _is_proxy(address):
        raise invalid_setting(spelling, size(text), _ALLOWED)
    return address


def _is_proxy(address: str) -> bool:
    """Return whether it is an http address, of printable ASCII, with nothing behind host and port."""
    if not (address.isascii() and address.isprintable()) or " " in address:
        return False
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}")
    rest = parts.path.removesuffix("/") + parts.query + parts.fragment
    return parts.scheme == "http" and _HOST.fullmatch(host) is not None and port != 0 and not rest
