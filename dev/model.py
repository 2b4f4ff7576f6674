"""Whom the app asks on a developer's machine: the simulated Azure OpenAI, or what the command or the settings file names. Pure.

`make run MODEL_URL=… MODEL=…` and `make run AZD=1` win over a settings file; without either, a settings file that names a
service is believed, and the simulated one is started where nobody names any.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from shared.config.addresses import Address

SERVICE_SETTINGS = (
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_BACKENDS",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_MODELS",
    "OPENAI_BASE_URL",
)
"""What a shell often has set for other tools, too."""
_NAMING = ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_BACKENDS", "OPENAI_BASE_URL")
DEPLOYMENT = "AZURE_OPENAI_DEPLOYMENT"
OPENAI_HOST = "api.openai.com"
AZURE_SUFFIXES = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
USUAL_PATH = "/v1"
"""Of OpenAI, Ollama, llama.cpp, LM Studio, vLLM."""


class Unusable(Exception):
    """The command names a model in a way that cannot work; the text is a sentence for the developer."""


@dataclass(frozen=True, slots=True)
class Model:
    """Where the answers come from: the settings that say so, and a sentence for the developer.

    The other settings of `SERVICE_SETTINGS` have to be empty beside them.
    """

    settings: Mapping[str, str]
    sentence: str
    address: Address

    @property
    def emptied(self) -> tuple[str, ...]:
        """The settings that would name somebody else."""
        return tuple(name for name in SERVICE_SETTINGS if not self.settings.get(name))


def named_model(url: str, model: str, variables: Mapping[str, str]) -> Model:
    """Return what MODEL_URL and MODEL mean. The key is MODEL_KEY's, else the variable's that this service's users have set.

    A key goes to the service that its variable is named after, and to no other. Raise `Unusable`.
    """
    found = Address.parse(url.strip())
    if found is None:
        raise Unusable(
            "MODEL_URL must be an address, such as http://localhost:11434/v1 or https://my-account.openai.azure.com"
        )
    if not model.strip():
        raise Unusable(
            f"MODEL is missing, the name that the model has at {found.root}: make run MODEL_URL={url} MODEL=…"
        )
    is_azure = found.host.endswith(AZURE_SUFFIXES)
    key_variable = _key_variable(found, variables, is_azure=is_azure)
    key = {"AZURE_OPENAI_API_KEY": variables[key_variable]} if key_variable else {}
    if is_azure:
        shown, service = found.root, {"AZURE_OPENAI_ENDPOINT": found.root}
    else:
        shown = found.root + (found.path.rstrip("/") or USUAL_PATH)
        service = {"OPENAI_BASE_URL": shown}
    sign_in = f"with the key in {key_variable}" if key_variable else _without_key(is_azure=is_azure)
    sentence = f"Asking {shown}, model {model.strip()}, {sign_in}."
    return Model({**service, DEPLOYMENT: model.strip(), **key}, sentence, found)


def deployed_model(output: str) -> Model:
    """Return what `azd up` has deployed, from the output of `azd env get-values`. Raise `Unusable`."""
    values = {name: _unquoted(value) for name, _, value in (line.partition("=") for line in output.splitlines())}
    endpoint, deployment = values.get("AZURE_OPENAI_ENDPOINT", ""), values.get(DEPLOYMENT, "")
    found = Address.parse(endpoint)
    if found is None or not deployment:
        raise Unusable(
            "azd's environment has no AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_DEPLOYMENT yet: run `azd up` first"
        )
    sentence = f"Asking {found.root}, which azd deployed, model {deployment}, {_without_key(is_azure=True)}."
    return Model({"AZURE_OPENAI_ENDPOINT": endpoint, DEPLOYMENT: deployment}, sentence, found)


def names_a_service(settings: Mapping[str, str], example: Mapping[str, str]) -> bool:
    """Return whether the settings name a service, other than the example's, which the simulated one takes the place of."""
    return any(settings.get(name, "") not in ("", example.get(name, "")) for name in _NAMING)


def _key_variable(found: Address, variables: Mapping[str, str], *, is_azure: bool) -> str:
    """Return the name of the variable with the key, or ''."""
    usual = "AZURE_OPENAI_API_KEY" if is_azure else "OPENAI_API_KEY" if found.host == OPENAI_HOST else ""
    return next((name for name in ("MODEL_KEY", usual) if name and variables.get(name)), "")


def _without_key(*, is_azure: bool) -> str:
    return "signed in as you are (az login, or azd auth login)" if is_azure else "without a key (MODEL_KEY has none)"


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value))
    except ValueError:
        return ""
