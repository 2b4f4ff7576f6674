"""Whom the app asks on a developer's machine, by what the command names."""

import pytest

from dev.model import SERVICE_SETTINGS, Unusable, deployed_model, named_model, names_a_service

KEYS = {"OPENAI_API_KEY": "sk-openai", "AZURE_OPENAI_API_KEY": "azure"}
EXAMPLE = {"AZURE_OPENAI_ENDPOINT": "http://127.0.0.1:7072", "AUTH_MODE": "function"}
AZD = """AZURE_CLIENT_ID="11111111-2222-3333-4444-555555555555"
AZURE_OPENAI_DEPLOYMENT="gpt-5.4-mini"
AZURE_OPENAI_ENDPOINT="https://cog-x-primary.openai.azure.com/"
ODD="a \\"quoted\\" word"
"""


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ],
)  # fmt: skip
def test_any_server_is_asked_without_a_key_of_somebody_elses(url: str, asked: str) -> None:
    found = named_model(url, "llama3.2", KEYS)
    assert found.settings == {"OPENAI_BASE_URL": asked, "AZURE_OPENAI_DEPLOYMENT": "llama3.2"}
    assert set(found.emptied) == set(SERVICE_SETTINGS) - {"OPENAI_BASE_URL"}
    assert found.sentence == f"Asking {asked}, model llama3.2, without a key (MODEL_KEY has none)."


def test_a_key_that_was_meant_for_it_goes_to_any_server_and_is_not_shown() -> None:
    found = named_model("https://llm.example/v1", "m", KEYS | {"MODEL_KEY": "a-secret"})
    assert found.settings["AZURE_OPENAI_API_KEY"] == "a-secret"
    assert "AZURE_OPENAI_API_KEY" not in found.emptied
    assert found.sentence == "Asking https://llm.example/v1, model m, with the key in MODEL_KEY."


def test_openai_gets_openais_key() -> None:
    found = named_model("https://api.openai.com/v1", "gpt-5.4-mini", KEYS)
    assert found.settings["AZURE_OPENAI_API_KEY"] == "sk-openai"
    assert found.sentence.endswith("with the key in OPENAI_API_KEY.")


@pytest.mark.parametrize(
    "path", ["", "/", "/openai/v1/", "/openai/deployments/gpt/chat/completions?api-version=2024-10-21"]
)
@pytest.mark.parametrize("suffix", ["openai.azure.com", "services.ai.azure.com", "cognitiveservices.azure.com"])
def test_azure_is_asked_at_the_accounts_address_with_azures_key_or_ones_own_login(suffix: str, path: str) -> None:
    account = f"https://mine.{suffix}"
    found = named_model(account + path, "gpt", KEYS)
    assert found.settings == {
        "AZURE_OPENAI_ENDPOINT": account,
        "AZURE_OPENAI_DEPLOYMENT": "gpt",
        "AZURE_OPENAI_API_KEY": "azure",
    }
    found = named_model(account + path, "gpt", {})
    assert set(found.emptied) == set(SERVICE_SETTINGS) - {"AZURE_OPENAI_ENDPOINT"}
    assert found.sentence == f"Asking {account}, model gpt, signed in as you are (az login, or azd auth login)."


@pytest.mark.parametrize(
    ("url", "model", "said"),
    [
        ("localhost:11434/v1", "m", "MODEL_URL must be an address"),
        ("http://user:pw@localhost/v1", "m", "MODEL_URL must be an address"),
        ("http://localhost:11434/v1", " ", "MODEL is missing, the name that the model has at http://localhost:11434"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(url: str, model: str, said: str) -> None:
    with pytest.raises(Unusable, match=said):
        named_model(url, model, {})


def test_what_azd_deployed_is_asked_with_ones_own_login_and_not_with_the_apps_identity() -> None:
    found = deployed_model(AZD)
    assert found.settings == {
        "AZURE_OPENAI_ENDPOINT": "https://cog-x-primary.openai.azure.com/",
        "AZURE_OPENAI_DEPLOYMENT": "gpt-5.4-mini",
    }
    assert (
        "https://cog-x-primary.openai.azure.com, which azd deployed, model gpt-5.4-mini, signed in as you"
        in found.sentence
    )


@pytest.mark.parametrize(
    "output", ["", 'AZURE_OPENAI_ENDPOINT=""\n', 'AZURE_OPENAI_ENDPOINT="https://a.example"\nX="open']
)
def test_an_environment_of_azds_without_a_deployment_is_one_sentence(output: str) -> None:
    with pytest.raises(Unusable, match="run `azd up` first"):
        deployed_model(output)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (EXAMPLE, False),
        ({}, False),
        (EXAMPLE | {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_MODELS": "a=b"}, False),
        (EXAMPLE | {"AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com"}, True),
        (EXAMPLE | {"OPENAI_BASE_URL": "http://localhost:1/v1"}, True),
        (EXAMPLE | {"AZURE_OPENAI_BACKENDS": "[]"}, True),
    ],
)
def test_settings_name_a_service_unless_it_is_the_examples(settings: dict[str, str], names: bool) -> None:
    assert names_a_service(settings, EXAMPLE) is names
