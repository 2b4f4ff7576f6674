"""From the name that a caller uses to the name that the backends know."""

import pytest

from shared.config.model_names import resolve_model
from shared.config.settings import Settings
from shared.errors import BadRequest, ModelNotFound

ENDPOINT = {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com"}


def resolved(name: str | None, **env: str) -> str:
    return resolve_model(Settings.from_env(ENDPOINT | env), name)


def test_without_a_list_of_models_a_name_is_a_deployment() -> None:
    assert resolved("mine") == "mine"
    assert resolved("m" * 256) == "m" * 256


def test_an_alias_is_its_deployment_and_the_default_may_be_named_too() -> None:
    env = {"AZURE_OPENAI_MODELS": "gpt=dep", "AZURE_OPENAI_DEPLOYMENT": "own"}
    assert (resolved("gpt", **env), resolved("own", **env), resolved(None, **env)) == ("dep", "own", "own")
    with pytest.raises(ModelNotFound):
        resolved("other", **env)


@pytest.mark.parametrize("env", [{}, {"AZURE_OPENAI_MODELS": "gpt=dep"}])
def test_a_name_that_is_too_long_for_the_log_is_a_400(env: dict[str, str]) -> None:
    with pytest.raises(BadRequest, match="256") as caught:
        resolved("m" * 257, **env)
    assert caught.value.param == "model"


def test_no_name_and_no_default_is_a_400() -> None:
    with pytest.raises(BadRequest, match="missing"):
        resolved(None)
