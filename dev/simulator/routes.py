"""Routes: of the current Azure surface, of the older one with deployments, and of the plain OpenAI surface."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from dev.simulator.call import Operation, Surface
from dev.simulator.wire import Exchange

OPERATIONS: dict[str, Operation] = {
    "chat/completions": "chat",
    "responses": "responses",
    "responses/input_tokens": "input_tokens",
    "responses/compact": "compact",
    "completions": "completions",
    "embeddings": "embeddings",
    "images/generations": "generations",
    "images/edits": "edits",
    "audio/speech": "speech",
    "audio/transcriptions": "transcriptions",
    "audio/translations": "translations",
}
PREFIX = re.compile(
    r"^/(?:(?P<v1>openai/v1)|(?P<plain>v1)|openai/deployments/(?P<deployment>[^/]+)|(?P<dated>openai))/(?P<rest>.+?)/?$"
)
STORED = re.compile(r"^responses/(?P<id>[^/]+)(?:/(?P<verb>cancel|input_items))?$")
OBJECT = re.compile(r"^(?P<kind>files|batches)(?:/(?P<id>[^/]+)(?:/(?P<verb>content|cancel))?)?$")
MODEL = re.compile(r"^models(?:/(?P<id>.+))?$")

StoredVerb = Literal["get", "delete", "cancel", "input_items"]
STORED_METHODS: dict[tuple[str, str | None], StoredVerb] = {
    ("GET", None): "get",
    ("DELETE", None): "delete",
    ("POST", "cancel"): "cancel",
    ("GET", "input_items"): "input_items",
}
ObjectVerb = Literal["make", "get", "content", "delete", "cancel"]
OBJECT_METHODS: dict[tuple[str, str, str | None], ObjectVerb] = {
    ("files", "GET", None): "get",
    ("files", "GET", "content"): "content",
    ("files", "DELETE", None): "delete",
    ("batches", "GET", None): "get",
    ("batches", "POST", "cancel"): "cancel",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a model's answer."""

    surface: Surface
    operation: Operation


@dataclass(frozen=True, slots=True)
class AskStored:
    surface: Surface
    verb: StoredVerb
    response_id: str


@dataclass(frozen=True, slots=True)
class AskModels:
    surface: Surface
    model: str | None


@dataclass(frozen=True, slots=True)
class AskObject:
    """A request about a file or a batch; `object_id` is '' where a new one is made."""

    surface: Surface
    kind: Literal["files", "batches"]
    verb: ObjectVerb
    object_id: str = ""


Route = Ask | AskStored | AskModels | AskObject


def route(exchange: Exchange) -> Route | None:
    matched = PREFIX.match(exchange.path)
    if matched is None:
        return None
    deployment, rest = matched["deployment"], matched["rest"]
    if (deployment or matched["dated"]) and not exchange.query.get("api-version"):
        return None  # the older surface answers 404 "Resource not found" without a version
    surface = Surface(azure=not matched["plain"], deployment=deployment)
    if rest in OPERATIONS and exchange.method == "POST":
        of_deployments = not rest.startswith("responses")
        if (deployment and not of_deployments) or (matched["dated"] and of_deployments):
            return None
        return Ask(surface, OPERATIONS[rest])
    if deployment:
        return None
    stored = STORED.match(rest)
    if stored is not None:
        verb = STORED_METHODS.get((exchange.method, stored["verb"]))
        return None if verb is None else AskStored(surface, verb, cast(str, stored["id"]))
    named = OBJECT.match(rest)
    if named is not None:
        return _object(exchange.method, surface, named)
    models = MODEL.match(rest)
    if models is not None and exchange.method == "GET":
        return AskModels(surface, models["id"])
    return None


def _object(method: str, surface: Surface, named: re.Match[str]) -> AskObject | None:
    kind = cast(Literal["files", "batches"], named["kind"])
    if named["id"] is None:
        return AskObject(surface, kind, "make") if method == "POST" else None
    verb = OBJECT_METHODS.get((kind, method, named["verb"]))
    return None if verb is None else AskObject(surface, kind, verb, named["id"])
