"""The deployments, and their listing."""

from dataclasses import dataclass

from dev.simulator.call import Json
from dev.simulator.refusals import unknown_deployment
from dev.simulator.routes import AskModels

USUAL = ("gpt-5-mini", "gpt-4.1-mini", "gpt-4o-mini", "text-embedding-3-small")
CREATED = 1_763_600_000


@dataclass(frozen=True, slots=True)
class Deployments:
    names: tuple[str, ...] | None = None
    """None: every name is accepted unless it starts with `missing`."""

    def has(self, name: str) -> bool:
        return bool(name) and (name in self.names if self.names is not None else not name.startswith("missing"))


def models(ask: AskModels, deployments: Deployments) -> Json:
    if ask.model is None:
        return {"object": "list", "data": [_model(name) for name in deployments.names or USUAL]}
    if not deployments.has(ask.model):
        raise unknown_deployment(ask.surface, ask.model)
    return _model(ask.model)


def _model(name: str) -> Json:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": "simulated"}
