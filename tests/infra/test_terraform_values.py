"""Terraform's own expressions, evaluated without a provider: what stands for a resource's attribute is a plain value."""

from typing import Any

import pytest

from tests.infra.samples import ACCOUNT, SEVERAL, settings


def test_the_default_is_one_account_that_the_app_understands(evaluated: Any) -> None:
    values = evaluated()
    read = settings(values["site"])
    (backend,) = read.backends
    assert backend.base_url == "https://primary.openai.azure.com/openai/v1/"
    assert read.deployment == "gpt-5.4-mini"
    assert backend.deployment(read.deployment) == "gpt-5.4-mini"
    assert list(values["deployments"]) == ["primary/gpt-5.4-mini"]
    assert values["endpoints"] == {}
    concurrency = values["site"]["properties"]["functionAppConfig"]["scaleAndConcurrency"]
    assert concurrency["triggers"]["http"]["perInstanceConcurrency"] == 100
    assert concurrency["alwaysReady"] == []


def test_several_accounts_become_the_failover_list_with_the_names_that_callers_use(evaluated: Any) -> None:
    values = evaluated(open_ai_accounts=SEVERAL)
    read = settings(values["site"])
    assert [(backend.name, backend.priority, backend.weight) for backend in read.backends] == [
        ("sweden", 1, 1),
        ("us", 2, 3),
    ]
    assert read.deployment == "mini"
    assert [backend.deployment("smart") for backend in read.backends] == ["big-units", None]
    assert sorted(values["deployments"]) == ["sweden/big", "sweden/big-units", "sweden/mini", "us/mini"]
    assert values["deployments"]["sweden/big-units"]["spilloverDeployment"] == "big"
    assert values["open_ai_account_ids"] == {name: f"{ACCOUNT}/{name}" for name in ("sweden", "us")}


@pytest.mark.parametrize("names", [{}, {"smart": "big", "small": "mini"}])
def test_an_existing_account_takes_the_place_of_new_ones(evaluated: Any, names: dict[str, str]) -> None:
    values = evaluated(
        existing_open_ai_resource_id=f"{ACCOUNT}/mine",
        existing_open_ai_deployments=names,
        open_ai_deployment_name="big",
    )
    (backend,) = settings(values["site"]).backends
    assert (backend.name, backend.base_url) == ("mine", "https://mine.openai.azure.com/openai/v1/")
    assert dict(backend.deployments) == names
    assert settings(values["site"]).deployment == "big"
    assert values["deployments"] == {}
    assert values["open_ai_account_ids"] == {"existing": f"{ACCOUNT}/mine"}
    assert values["keeping_account_ids"] == {}


def test_the_app_may_keep_files_in_an_existing_account_where_that_is_on(evaluated: Any) -> None:
    values = evaluated(existing_open_ai_resource_id=f"{ACCOUNT}/mine", app_settings={"OPENAI_STATEFUL": "on"})
    assert values["keeping_account_ids"] == values["open_ai_account_ids"] == {"existing": f"{ACCOUNT}/mine"}


def test_who_deploys_gets_a_role_on_the_accounts_made_here_and_on_no_other(evaluated: Any) -> None:
    assert list(evaluated(principal_id="me")["developer_account_ids"]) == ["primary"]
    assert evaluated(principal_id="me", existing_open_ai_resource_id=f"{ACCOUNT}/mine")["developer_account_ids"] == {}
    assert evaluated()["developer_account_ids"] == {}


def test_settings_of_ones_own_override_the_defaults_but_not_what_is_deployed(evaluated: Any) -> None:
    read = settings(evaluated(app_settings={"SYSTEM_PROMPT": "Be brief.", "AUTH_MODE": "anonymous"})["site"])
    assert (read.system_prompt, read.auth_mode) == ("Be brief.", "function")


def test_everything_at_once_is_consistent(evaluated: Any) -> None:
    values = evaluated(
        open_ai_accounts=SEVERAL,
        auth_mode="keys",
        search_sku="basic",
        vnet_enabled=True,
        front_door_enabled=True,
        http_always_ready_instances=2,
        zone_redundant=True,
        cors_allowed_origins=["https://app.example.com"],
        app_settings={"CALLER_LIMITS": '{"*": {"streams": 20}}'},
    )
    config = values["site"]["properties"]["siteConfig"]
    assert config["ipSecurityRestrictionsDefaultAction"] == "Deny"
    assert config["ipSecurityRestrictions"][0]["headers"] == {"x-azure-fdid": ["value"]}
    assert values["named_settings"]["ALLOWED_ORIGINS"] == "https://app.example.com"
    assert values["named_settings"]["CALLER_KEYS"].startswith("@Microsoft.KeyVault(SecretUri=")
    assert sorted(values["endpoints"]) == ["openai-sweden", "openai-us", "search", "storage", "storage-table", "vault"]
    assert {endpoint["group_id"] for endpoint in values["endpoints"].values()} == set(values["zone_names"])


@pytest.mark.parametrize(("limits", "uses"), [("", False), ('{"*": {"streams": 20}}', True)])
def test_tables_are_only_there_where_callers_have_limits(evaluated: Any, limits: str, uses: bool) -> None:
    values = evaluated(app_settings={"CALLER_LIMITS": limits} if limits else {})
    assert bool(values["table_settings"]) is uses


@pytest.mark.parametrize(
    ("stateful", "keeps"), [("off", False), ("on", True), (" ON ", True), ("", False), (None, False)]
)
def test_the_app_may_keep_files_in_every_account_only_where_that_is_on(
    evaluated: Any,
    stateful: str | None,
    keeps: bool,
) -> None:
    settings_of_ones_own = {} if stateful is None else {"OPENAI_STATEFUL": stateful}
    values = evaluated(app_settings=settings_of_ones_own, open_ai_accounts=SEVERAL, principal_id="me")
    accounts = {name: f"{ACCOUNT}/{name}" for name in ("sweden", "us")}
    assert values["keeping_account_ids"] == (accounts if keeps else {})
    assert (settings(values["site"]).openai_stateful == "on") is keeps
    assert values["open_ai_account_ids"] == values["developer_account_ids"] == accounts


def test_with_entra_the_platform_answers_preflights_and_the_app_does_not(evaluated: Any) -> None:
    values = evaluated(auth_mode="entra", auth_client_id="id", cors_allowed_origins=["https://app.example.com"])
    assert values["named_settings"]["ALLOWED_ORIGINS"] == ""
    assert values["site"]["properties"]["siteConfig"]["cors"]["allowedOrigins"] == ["https://app.example.com"]


def test_entra_without_a_registration_is_refused(evaluated: Any) -> None:
    with pytest.raises(AssertionError, match="auth_mode entra needs"):
        evaluated(auth_mode="entra")
