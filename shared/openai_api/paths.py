"""The addresses of the OpenAI API, OpenAI's own and Azure's: what a path means, or that it means nothing.

https://platform.openai.com/docs/api-reference, https://learn.microsoft.com/azure/ai-services/openai/reference
"""

import re
from dataclasses import dataclass

from shared.openai_api.media import MEDIA, MediaApi

_INFERENCE = (
    "chat/completions",
    "completions",
    "embeddings",
    "responses",
    "responses/compact",
    "responses/input_tokens",
)
"""What a model is asked at, at each of the bases; on Azure's older paths below `deployments/{name}/` too."""
_UNSERVED = re.compile(
    "(?:assistants|audio|batches|chatkit|containers|conversations|evals|files|fine_tuning|graders|images|moderations"
    "|organization|realtime|skills|threads|uploads|vector_stores|videos)(?:/(?s:.)*)?"
)
"""Where the paths begin that OpenAI has, https://platform.openai.com/docs/api-reference; of two of them, some are served."""
_BASE = re.compile(r"/(?P<base>(?:(?:openai|v1)/)*)(?P<path>(?s:.)*)")
"""Clients write their base URL with `/v1`, `/openai` or `/openai/v1`, without any, or with one that a library adds again."""
_RESPONSE = re.compile(r"responses/(?P<id>[^/.][^/]{0,2047})(?P<rest>/cancel|/input_items)?")
"""An id is opened before it goes up, so that any text may be there."""
_MODEL = re.compile(r"models/(?P<id>[^/](?s:.){,255})")
_DEPLOYMENT = re.compile(
    r"deployments/(?P<deployment>[^/](?s:.){,255}?)/(?P<path>"
    + "|".join((*_INFERENCE, *MEDIA, _RESPONSE.pattern))
    + ")"
)

_GET = frozenset({"GET", "HEAD"})
_POST = frozenset({"POST"})
_RESPONSE_METHODS = {"": _GET | {"DELETE"}, "/cancel": _POST, "/input_items": _GET}


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
class Media:
    """A model makes or reads an image or a sound. `deployment` and `is_azure` as in `Inference`."""

    api: MediaApi
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


type Address = Inference | Media | StoredResponse | ModelList | OneModel
"""What a path asks for. `methods`: those that exist there."""


def find_address(path: str) -> Address | None:
    """Return what a request's path (`target.requested_path`) asks for, or None where it means nothing."""
    match = _BASE.fullmatch(path)
    if match is None:
        return None
    is_azure = match["base"].endswith("openai/") or match["path"].startswith("deployments/")
    return _find(match["path"], is_azure=is_azure)


def below_base(path: str) -> str:
    """Return what a request's path names below the base that a client writes."""
    match = _BASE.fullmatch(path)
    return "" if match is None else match["path"]


def is_unserved(path: str) -> bool:
    """Return whether the path, which means nothing here, means something at OpenAI."""
    match = _BASE.fullmatch(path)
    return match is not None and _UNSERVED.fullmatch(match["path"]) is not None


def _find(path: str, *, is_azure: bool) -> Address | None:
    deployment: str | None = None
    if is_azure and (match := _DEPLOYMENT.fullmatch(path)):
        deployment, path = match["deployment"], match["path"]
    if path in _INFERENCE:
        return Inference(path, deployment, is_azure=is_azure)
    if path in MEDIA:
        return Media(MEDIA[path], deployment, is_azure=is_azure)
    if match := _RESPONSE.fullmatch(path):
        rest = match["rest"] or ""
        return StoredResponse(match["id"], rest, _RESPONSE_METHODS[rest])
    if path == "models":
        return ModelList()
    if match := _MODEL.fullmatch(path):
        return OneModel(match["id"])
    return None
