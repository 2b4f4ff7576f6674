"""The addresses of the OpenAI API, OpenAI's own and Azure's, as one table: what a path means, or that it means nothing."""

import re
from dataclasses import dataclass, field

_ANSWERS = frozenset(
    {"chat/completions", "completions", "responses", "responses/compact", "responses/input_tokens", "embeddings"}
)
# NOTE: an id never begins with a dot: `..` would climb to another path of the backend.
_RESPONSE = re.compile(r"responses/(?P<id>[A-Za-z0-9_-][A-Za-z0-9_.-]{0,255})(?P<rest>/cancel|/input_items)?")
_MODEL = re.compile(r"models/(?P<id>[^/]{1,256})")
_DEPLOYMENT = re.compile(r"deployments/(?P<deployment>[^/]{1,256})/(?P<path>chat/completions|completions|embeddings)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a path asks for.

    `kind` is "answer" (a body with a model goes up), "stored" (a stored response, by its id), "models" or "model";
    `path` is relative to a backend's base URL; `methods` are those that exist there.
    """

    kind: str
    path: str
    methods: frozenset[str]
    id: str = ""
    deployment: str | None = None
    is_azure: bool = field(default=False)


def find_address(path: str) -> Address | None:
    """The meaning of a request's path, or None where it has none. Azure's older paths hang under /openai/."""
    for prefix, is_azure in (("/v1/", False), ("/openai/v1/", False), ("/openai/", True)):
        if path.startswith(prefix):
            return _find(path[len(prefix) :], is_azure=is_azure)
    return None


def _find(path: str, *, is_azure: bool) -> Address | None:
    if is_azure and (match := _DEPLOYMENT.fullmatch(path)):
        return Address(
            kind="answer",
            path=match["path"],
            methods=frozenset({"POST"}),
            deployment=match["deployment"],
            is_azure=True,
        )
    if path in _ANSWERS and (not is_azure or path.startswith("responses")):
        return Address(kind="answer", path=path, methods=frozenset({"POST"}), is_azure=is_azure)
    if path == "models":
        return Address(kind="models", path=path, methods=frozenset({"GET"}), is_azure=is_azure)
    if match := _MODEL.fullmatch(path):
        return Address(kind="model", path=path, methods=frozenset({"GET"}), id=match["id"], is_azure=is_azure)
    if match := _RESPONSE.fullmatch(path):
        methods = {None: {"GET", "DELETE"}, "/cancel": {"POST"}, "/input_items": {"GET"}}[match["rest"]]
        return Address(kind="stored", path=path, methods=frozenset(methods), id=match["id"], is_azure=is_azure)
    return None
