"""How this app signs in to a backend, and what it takes when a backend rejects that (401, 403)."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from shared.config.backends import Backend
from shared.config.settings import Settings

_ROLE = "the role Cognitive Services OpenAI User on the Azure OpenAI account"


class SignIn(Enum):
    """What goes up with each request."""

    MANAGED_IDENTITY = "managed identity"
    DEVELOPER = "az login or azd auth login"
    KEY = "AZURE_OPENAI_API_KEY"
    NONE = "nothing"

    @classmethod
    def of(cls, settings: Settings, backend: Backend) -> "SignIn":
        """Return how the app signs in to the backend."""
        if settings.api_key:
            return cls.KEY
        if not backend.is_azure:
            return cls.NONE
        if settings.has_managed_identity:
            return cls.MANAGED_IDENTITY
        # Plain http is this machine, where Azure is simulated: a developer's token does not go there.
        return cls.NONE if backend.base_url.startswith("http://") else cls.DEVELOPER


@dataclass(frozen=True, slots=True)
class Rejection:
    """Two sentences about a rejected sign-in: for callers, and for the log after "Backend … answered …: "."""

    message: str
    operator_message: str


_NOT_YOUR_KEY = "The model's service rejected this service's own sign-in. Your key is not involved:"

REJECTIONS: Mapping[SignIn, Rejection] = {
    SignIn.MANAGED_IDENTITY: Rejection(
        f"{_NOT_YOUR_KEY} the operator must give the app's managed identity {_ROLE}.",
        f"this app's managed identity needs {_ROLE}.",
    ),
    SignIn.DEVELOPER: Rejection(
        f"{_NOT_YOUR_KEY} the operator must give the account that is signed in to the Azure CLI {_ROLE}.",
        f"the account that is signed in to the Azure CLI needs {_ROLE}; Owner and Contributor do not include it.",
    ),
    SignIn.KEY: Rejection(
        f"{_NOT_YOUR_KEY} the operator must set AZURE_OPENAI_API_KEY to a key that the service accepts.",
        "it does not accept AZURE_OPENAI_API_KEY.",
    ),
    SignIn.NONE: Rejection(
        f"{_NOT_YOUR_KEY} it requires a key, which the operator can set in AZURE_OPENAI_API_KEY.",
        "it requires a key; set AZURE_OPENAI_API_KEY.",
    ),
}
