"""From the name that a caller uses to the name that the backends know."""

from shared.config.settings import Settings
from shared.errors import BadRequest, ModelNotFound

MAX_MODEL_CHARACTERS = 256
"""A model's name goes into the log, and into a refusal."""


def resolve_model(settings: Settings, name: str | None) -> str:
    """The model that the backends are asked for. Raises `ModelNotFound`, or `BadRequest` where none is named or known."""
    if name is None:
        chosen = settings.deployment or next(iter(served_models(settings)), "")
        if not chosen:
            raise BadRequest("'model' is missing, and this service has no default model.", param="model")
        return settings.models.get(chosen, chosen)
    if len(name) > MAX_MODEL_CHARACTERS:
        raise BadRequest(f"'model' is not valid; expected at most {MAX_MODEL_CHARACTERS} characters.", param="model")
    if settings.models:
        if name in settings.models:
            return settings.models[name]
        if name != settings.deployment:
            raise ModelNotFound(f"The model {name!r} does not exist here.", param="model")
    return name


def served_models(settings: Settings) -> list[str]:
    """The names that this app lists, in order. Empty where every name passes through and none is known."""
    if settings.models:
        return list(settings.models)
    names = dict.fromkeys(name for backend in settings.backends for name in backend.deployments)
    if settings.deployment:
        names.setdefault(settings.deployment)
    return list(names)
