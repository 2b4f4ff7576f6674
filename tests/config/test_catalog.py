"""Which models exist: AZURE_OPENAI_MODELS, the default deployment and the backends' own deployments together."""

import json
from collections.abc import Mapping

import pytest

from shared.config.catalog import ModelCatalog, Target
from shared.config.settings import Settings
from shared.errors import BadRequest, Misconfigured, ModelNotFound
from tests.harness.cells import cells

ENDPOINT = {"AZURE_OPENAI_ENDPOINT": "https://a.openai.azure.com"}
EAST = {
    "name": "east",
    "endpoint": "https://e.openai.azure.com",
    "deployments": {"gpt": "gpt-east", "mini": "mini-east"},
}
WEST = {"name": "west", "endpoint": "https://w.openai.azure.com", "deployments": {"gpt": "gpt-west"}}
ANY = {"name": "any", "endpoint": "https://x.openai.azure.com"}


def catalog(*backends: Mapping[str, object], **env: str) -> ModelCatalog:
    listed = {"AZURE_OPENAI_BACKENDS": json.dumps(backends)} if backends else {}
    return Settings.from_env(ENDPOINT | listed | env).catalog


def test_without_a_list_of_models_a_name_is_a_deployment() -> None:
    assert catalog().resolve("mine") == Target("mine", {"default": "mine"})
    assert catalog().resolve("m" * 256).model == "m" * 256


def test_an_alias_is_its_deployment_and_the_default_may_be_named_too() -> None:
    models = catalog(AZURE_OPENAI_MODELS="gpt=dep", AZURE_OPENAI_DEPLOYMENT="own")
    assert [models.resolve(name).model for name in ("gpt", "own", None)] == ["dep", "own", "own"]
    with pytest.raises(ModelNotFound):
        models.resolve("other")


def test_a_model_is_the_deployments_of_the_backends_that_have_it() -> None:
    models = catalog(EAST, WEST)
    assert models.resolve("gpt") == Target("gpt", {"east": "gpt-east", "west": "gpt-west"})
    assert models.resolve("mini") == Target("mini", {"east": "mini-east"})
    assert models.resolve(None).model == "gpt"
    assert catalog(EAST, ANY).resolve("else") == Target("else", {"any": "else"})


def test_a_model_that_no_backend_has_does_not_exist_and_the_error_names_what_the_caller_asked_for() -> None:
    with pytest.raises(ModelNotFound, match="'other'"):
        catalog(EAST, WEST).resolve("other")
    with pytest.raises(ModelNotFound, match="'smart'") as caught:
        catalog(EAST, WEST, AZURE_OPENAI_MODELS="smart=secret-deployment").resolve("smart")
    assert "secret-deployment" not in caught.value.message


def test_every_listed_name_resolves() -> None:
    for models, names in (
        (catalog(), ()),
        (catalog(AZURE_OPENAI_DEPLOYMENT="own"), ("own",)),
        (catalog(EAST, WEST), ("gpt", "mini")),
        (catalog(WEST, EAST, AZURE_OPENAI_DEPLOYMENT="mini"), ("gpt", "mini")),
        (catalog(EAST, AZURE_OPENAI_DEPLOYMENT="nowhere"), ("gpt", "mini")),
        (catalog(EAST, AZURE_OPENAI_MODELS="smart=gpt, lost=nowhere"), ("smart",)),
    ):
        assert models.names == names
        for name in names:
            assert models.resolve(name).deployments
            models.check_listed(name)
        with pytest.raises(ModelNotFound, match="'nowhere'"):
            models.check_listed("nowhere")


@cells("env", [{}, {"AZURE_OPENAI_MODELS": "gpt=dep"}])
@cells(("name", "allowed"), [("m" * 257, "256"), ("gpt\ud800", "UTF-8")])
def test_a_name_that_no_log_can_carry_is_a_400(env: dict[str, str], name: str, allowed: str) -> None:
    with pytest.raises(BadRequest, match=allowed) as caught:
        catalog(**env).resolve(name)
    assert (caught.value.status, caught.value.code, caught.value.param) == (400, "invalid_request", "model")
    assert b"model" in caught.value.body(), "it can be encoded"


@cells(
    ("models", "sentence"),
    [
        (catalog(), "AZURE_OPENAI_DEPLOYMENT is not set"),
        (
            catalog(EAST, AZURE_OPENAI_DEPLOYMENT="private"),
            "AZURE_OPENAI_DEPLOYMENT names a model that no backend serves",
        ),
    ],
)
def test_no_name_and_no_default_is_the_operators_fault(models: ModelCatalog, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=f"{sentence}.*; expected") as caught:
        models.resolve(None)
    assert (caught.value.status, caught.value.code) == (503, "misconfigured")
    assert "private" not in caught.value.message
