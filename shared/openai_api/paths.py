"""The addresses of the OpenAI API, OpenAI's own and Azure's: what a path means, or that it means nothing.

https://platform.openai.com/docs/api-reference, https://learn.microsoft.com/azure/ai-services/openai/reference
"""

import re
from dataclasses import dataclass

_INFERENCE = frozenset(
    {"chat/completions", "completions", "responses", "responses/compact", "responses/input_tokens", "embeddings"}
)
_RESPONSE = re.compile(r"responses/(?P<id>[^/.][^/]{0,2047})(?P<rest>/cancel|/input_items)?")
"""An id is opened before it goes up, so that any text may be there."""
_MODEL = re.compile(r"models/(?P<id>[^/](?s:.){,255})")
_DEPLOYMENT = re.compile(
    r"deployments/(?P<deployment>[^/](?s:.){,255}?)/(?P<path>chat/completions|completions|embeddings)"
)

_GET = frozenset({"GET"})
_POST = frozenset({"POST"})
_RESPONSE_METHODS = {"": frozenset({"GET", "DELETE"}), "/cancel": _POST, "/input_items": _GET}


@dataclass(frozen=True, slots=True)
class Inference:
    """A model is asked: a body goes up. `path` is relative to a backend's base URL.

    `deployment`: the one that an Azure address names, instead of the body's model. `is_azure`: errors are Azure's.
    """

    path: str
    deployment: str | None = None
    is_azure: bool = False
    methods: frozenset[str] = _POST


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """A stored response is read, cancelled or deleted. `id` is the caller's; `rest` is what follows it in the path."""

    id: str
    rest: str
    methods: frozenset[str]


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models are listed."""

    methods: frozenset[str] = _GET


@dataclass(frozen=True, slots=True)
class OneModel:
    """One model is looked up, by the name that callers use."""

    id: str
    methods: frozenset[str] = _GET


type Address = Inference | StoredResponse | ModelList | OneModel
"""What a path asks for. `methods`: those that exist there."""


def find_address(path: str) -> Address | None:
    """Return what a request's path asks for, or None where it means nothing. Azure's older paths are below /openai/."""
    for prefix, is_azure in (("/v1/", False), ("/openai/v1/", False), ("/openai/", True)):
        if path.startswith(prefix):
            return _find(path[len(prefix) :], is_azure=is_azure)
    return None


def _find(path: str, *, is_azure: bool) -> Address | None:
    if is_azure and (match := _DEPLOYMENT.fullmatch(path)):
        return Inference(match["path"], match["deployment"], is_azure=True)
    if path in _INFERENCE and (not is_azure or path.startswith("responses")):
        return Inference(path, is_azure=is_azure)
    if path == "models":
        return ModelList()
    if match := _MODEL.fullmatch(path):
        return OneModel(match["id"])
    if match := _RESPONSE.fullmatch(path):
        rest = match["rest"] or ""
        return StoredResponse(match["id"], rest, _RESPONSE_METHODS[rest])
    return None
