"""How this app signs in to a backend, and what it takes when a backend rejects that (401, 403)."""

from dataclasses import dataclass
from enum import Enum

from shared.config.backends import Backend
from shared.config.settings import Settings
from shared.upstream.call import UpstreamCall


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


def rejection(sign_in: SignIn, call: UpstreamCall) -> Rejection:
    """Return what to say where a backend rejected the sign-in of this call."""
    # By the definitions of the roles User reads files and batches; Contributor makes and deletes them too.
    name = "OpenAI Contributor" if call.operation == "change_object" else "OpenAI User"
    role = f"the role Cognitive Services {name} on the Azure OpenAI account"
    match sign_in:
        case SignIn.MANAGED_IDENTITY:
            return Rejection(
                f"{_NOT_YOUR_KEY} the operator must give the app's managed identity {role}.",
                f"this app's managed identity needs {role}.",
            )
        case SignIn.DEVELOPER:
            return Rejection(
                f"{_NOT_YOUR_KEY} the operator must give the account that is signed in to the Azure CLI {role}.",
                f"the account that is signed in to the Azure CLI needs {role}; Owner and Contributor do not include it.",
            )
        case SignIn.KEY:
            return Rejection(
                f"{_NOT_YOUR_KEY} the operator must set AZURE_OPENAI_API_KEY to a key that the service accepts.",
                "it does not accept AZURE_OPENAI_API_KEY.",
            )
        case SignIn.NONE:
            return Rejection(
                f"{_NOT_YOUR_KEY} it requires a key, which the operator can set in AZURE_OPENAI_API_KEY.",
                "it requires a key; set AZURE_OPENAI_API_KEY.",
            )
