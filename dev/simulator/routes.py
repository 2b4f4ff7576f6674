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
MODEL = re.compile(r"^models(?:/(?P<id>.+))?$")

StoredVerb = Literal["get", "delete", "cancel", "input_items"]
STORED_METHODS: dict[tuple[str, str | None], StoredVerb] = {
    ("GET", None): "get",
    ("DELETE", None): "delete",
    ("POST", "cancel"): "cancel",
    ("GET", "input_items"): "input_items",
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


Route = Ask | AskStored | AskModels


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
    models = MODEL.match(rest)
    if models is not None and exchange.method == "GET":
        return AskModels(surface, models["id"])
    return None
