"""Where the chat API searches before it answers: read once from the SEARCH_ settings."""

import re
from dataclasses import dataclass

from shared.config.addresses import Address
from shared.config.declarations import Kind
from shared.config.redaction import NOTHING, address, size
from shared.config.values import invalid_setting
from shared.errors import Misconfigured

MAX_PASSAGES = 50
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}(/[A-Za-z][A-Za-z0-9_]{0,127})*")
_ENDPOINT = "the address of an Azure AI Search service, such as https://my-search.search.windows.net"
_FIELDS = (
    "the names of the fields with content, title and address, such as content,title,url; the last two may be missing"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTarget:
    """An index or a knowledge base of one service. `endpoint` has no slash at its end; '' is what is not set."""

    endpoint: str
    index: str
    knowledge_base: str
    fields: tuple[str, ...]
    semantic_configuration: str
    vector_fields: tuple[str, ...]
    top: int
    filter: str


def field_names() -> Kind[tuple[str, ...]]:
    """Return the kind of SEARCH_FIELDS. Raise `Misconfigured` for what no field can be called."""

    def parse(name: str, found: str) -> tuple[str, ...]:
        names = tuple(part.strip() for part in found.split(","))
        if len(names) > 3 or not all(_FIELD.fullmatch(one) for one in names):
            raise invalid_setting(name, size(found), _FIELDS)
        return names

    return Kind("content,title,url", _FIELDS, parse)


def vector_field_names() -> Kind[tuple[str, ...]]:
    """Return the kind of SEARCH_VECTOR_FIELDS. Raise `Misconfigured` for what no field can be called."""
    allowed = "a comma-separated list of fields, such as embedding"

    def parse(name: str, found: str) -> tuple[str, ...]:
        names = tuple(part.strip() for part in found.split(",")) if found else ()
        if not all(_FIELD.fullmatch(one) for one in names):
            raise invalid_setting(name, size(found), allowed)
        return names

    return Kind("", allowed, parse)


def object_name(kind: str) -> Kind[str]:
    """Return the kind of the name of an index or another object of a search service. Raise `Misconfigured`."""
    allowed = f"the name of {kind}: letters, digits, dashes and underscores"

    def parse(name: str, found: str) -> str:
        if found and not _NAME.fullmatch(found):
            raise invalid_setting(name, size(found), allowed)
        return found

    return Kind("", allowed, parse)


def search_endpoint(text: str) -> str:
    """Return the address without a slash at its end. Raise `Misconfigured`."""
    if not text:
        raise invalid_setting("SEARCH_ENDPOINT", NOTHING, _ENDPOINT)
    found = Address.parse(text)
    is_safe = found is not None and (found.scheme == "https" or found.host in _LOOPBACK)
    if found is None or not is_safe or found.query or found.fragment or found.path.strip("/"):
        raise invalid_setting("SEARCH_ENDPOINT", address(text), _ENDPOINT)
    return found.root


def check_target(target: SearchTarget) -> None:
    """Raise `Misconfigured` for what can be searched in no way, or not as it is set."""
    if bool(target.index) == bool(target.knowledge_base):
        found = "both are set" if target.index else "neither is set"
        raise Misconfigured(f"RETRIEVAL needs either SEARCH_INDEX or SEARCH_KNOWLEDGE_BASE, but {found}.")
    if target.knowledge_base:
        # They would have no effect there, and a filter without effect shows everybody everything.
        for name, value in (
            ("SEARCH_FILTER", target.filter),
            ("SEARCH_SEMANTIC_CONFIGURATION", target.semantic_configuration),
            ("SEARCH_VECTOR_FIELDS", target.vector_fields),
        ):
            if value:
                raise Misconfigured(
                    f"{name} is set, but it applies to SEARCH_INDEX alone: a knowledge base has its own."
                )
