"""Which models exist: the only place that knows, made once from AZURE_OPENAI_MODELS and the backends' deployments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.config.backends import Backend
from shared.errors import BadRequest, Misconfigured, ModelNotFound
from shared.surrogates import has_lone_surrogate

MAX_MODEL_CHARACTERS = 256
"""A model's name goes into the log, and into an error message."""

_DEFAULT = "AZURE_OPENAI_DEPLOYMENT"
_EXPECTED = "expected the name of a deployment or of a listed model"


@dataclass(frozen=True, slots=True)
class Target:
    """A model that at least one backend serves.

    `model` is the name that the backends know it by. `deployments` maps the name of each backend that serves it to the
    deployment there, and is never empty.
    """

    model: str
    deployments: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCatalog:
    """The models that this app serves.

    `aliases` maps the names that callers use to those that the backends know; empty means that names pass through.
    `default` is the model of a request that names none; '' stands for the first of `names`.
    """

    aliases: Mapping[str, str]
    default: str
    backends: tuple[Backend, ...]

    @property
    def is_closed(self) -> bool:
        """Whether some names do not resolve, because the operator lists the models."""
        return bool(self.aliases) or any(backend.deployments for backend in self.backends)

    @property
    def names(self) -> tuple[str, ...]:
        """The names to list, in order. Each of them resolves; where names pass through, others do too."""
        return tuple(name for name in dict.fromkeys(self._candidates()) if self._find(name) is not None)

    def resolve(self, name: str | None) -> Target:
        """Return the model that the caller names, or the default one for None.

        Raise `ModelNotFound` where no backend serves it, `BadRequest` where it cannot be a name, and `Misconfigured` where
        there is no default.
        """
        if name is None:
            return self._resolve_default()
        if len(name) > MAX_MODEL_CHARACTERS:
            raise _invalid(f"at most {MAX_MODEL_CHARACTERS} characters")
        if has_lone_surrogate(name):
            raise _invalid("text that UTF-8 can encode, without lone surrogates")
        target = self._find(name)
        if target is None:
            raise _not_found(name)
        return target

    def check_listed(self, name: str) -> None:
        """Raise `ModelNotFound` unless the name is one of `names`."""
        if name not in self.names:
            raise _not_found(name)

    def _resolve_default(self) -> Target:
        name = self.default or next(iter(self.names), "")
        if not name:
            raise Misconfigured(f"{_DEFAULT} is not set, and a request that names no 'model' needs it; {_EXPECTED}.")
        target = self._find(name)
        if target is None:
            raise Misconfigured(f"{_DEFAULT} names a model that no backend serves; {_EXPECTED}.")
        return target

    def _find(self, name: str) -> Target | None:
        passes_through = not self.aliases or name == self.default
        model = self.aliases.get(name, name if passes_through else None)
        if model is None:
            return None
        pairs = ((backend.name, backend.deployment(model)) for backend in self.backends)
        deployments = {backend: deployment for backend, deployment in pairs if deployment is not None}
        return Target(model, deployments) if deployments else None

    def _candidates(self) -> Iterator[str]:
        if self.aliases:
            yield from self.aliases
            return
        for backend in self.backends:
            yield from backend.deployments
        if self.default:
            yield self.default


def _invalid(allowed: str) -> BadRequest:
    return BadRequest(f"'model' is not valid; expected {allowed}.", param="model")


def _not_found(name: str) -> ModelNotFound:
    return ModelNotFound(f"The model {name!r} does not exist here.", param="model")
