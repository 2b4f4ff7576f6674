"""Which of the places where a setting may stand wins, and what is said about a broken one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from dev.functions_host import settings
from dev.functions_host.failure import HostFailure
from dev.functions_host.settings import HostSettings


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "host.json").write_text('{"version": "2.0"}')
    return tmp_path


def read(
    app: Path, environment: Mapping[str, str] | None = None, overrides: Sequence[str] = (), file: Path | None = None
) -> HostSettings:
    return settings.read(app, file, environment or {}, overrides)


def local(app: Path, values: Mapping[str, object], name: str = "local.settings.json") -> None:
    (app / name).write_text(json.dumps({"IsEncrypted": False, "Values": values}))


def test_the_environment_wins_over_the_file_and_set_wins_over_both(app: Path) -> None:
    local(app, {"A": "file", "B": "file", "C": "file"})

    variables = read(app, {"B": "environment", "C": "environment"}, ["C=set=2"]).environment

    assert (variables["A"], variables["B"], variables["C"]) == ("file", "environment", "set=2")


def test_an_empty_variable_of_the_environment_loses_to_the_file_and_an_empty_value_of_set_wins(app: Path) -> None:
    local(app, {"A": "file", "B": "file"})

    variables = read(app, {"A": "", "C": ""}, ["B="]).environment

    assert (variables["A"], variables["B"], variables["C"]) == ("file", "", "")


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_value_of_the_file_is_unset(app: Path, value: str | None) -> None:
    local(app, {"A": value, "FUNCTIONS_WORKER_RUNTIME": value})

    variables = read(app).environment

    assert "A" not in variables
    assert variables["FUNCTIONS_WORKER_RUNTIME"] == "python"


def test_comments_trailing_commas_and_a_byte_order_mark_are_allowed(app: Path) -> None:
    text = """\ufeff// of the developer
    {
        "IsEncrypted": false, /* as it
        should be */
        "Values": {
            "ADDRESS": "http://a/b", // with a comment
            "LIST": "[1,2,] /* text */",
            "QUOTE": "a\\",",
        },
    }"""
    (app / "local.settings.json").write_text(text, "utf-8")

    variables = read(app).environment

    assert variables["ADDRESS"] == "http://a/b"
    assert variables["LIST"] == "[1,2,] /* text */"
    assert variables["QUOTE"] == 'a",'


def test_the_app_is_told_that_core_tools_run_it(app: Path) -> None:
    """It writes its log records to stderr then: the host does not show the most of them."""
    for environment in ({}, {"FUNCTIONS_CORETOOLS_ENVIRONMENT": ""}):
        assert read(app, environment).environment["FUNCTIONS_CORETOOLS_ENVIRONMENT"] == "true"


def test_without_a_settings_file_the_example_serves_and_that_is_said(app: Path) -> None:
    local(app, {"A": "example"}, "local.settings.json.example")

    found = read(app)

    assert found.environment["A"] == "example"
    assert "local.settings.json.example" in found.notes[0]


def test_the_settings_file_is_preferred_to_the_example_in_silence(app: Path) -> None:
    local(app, {"A": "example"}, "local.settings.json.example")
    local(app, {"A": "file"})

    found = read(app)

    assert found.environment["A"] == "file"
    assert not found.notes


def test_host_json_is_read_with_its_defaults(app: Path) -> None:
    found = read(app)

    assert found.route_prefix == "api"
    assert found.function_timeout_seconds == 1800
    assert found.body_limit_bytes == 100 * 1024 * 1024
    assert found.homepage
    assert found.port == 7071


def test_host_json_and_its_overrides_are_taken(app: Path) -> None:
    host = {"version": "2.0", "functionTimeout": "00:05:00", "extensions": {"http": {"routePrefix": "x"}}}
    (app / "host.json").write_text(json.dumps(host))

    plain = read(app)
    changed = read(
        app,
        {"AzureFunctionsJobHost__functionTimeout": "-1", "AzureFunctionsJobHost__Extensions__http__routePrefix": ""},
    )

    assert (plain.route_prefix, plain.function_timeout_seconds) == ("x", 300)
    assert (changed.route_prefix, changed.function_timeout_seconds) == ("", None)


def test_the_home_page_can_be_switched_off(app: Path) -> None:
    assert not read(app, {"AzureWebJobsDisableHomepage": "true"}).homepage


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must hold a JSON object"),
        ('{"a": 1,, }', "cannot be read as JSON"),
        ('{\n "a": 1, // x\n "b": x}', "line 3 column 7"),
        ('{"IsEncrypted": true}', 'must say "IsEncrypted": false'),
        ('{"Values": {"A": "1"}}', 'must say "IsEncrypted": false'),
        ('{"IsEncrypted": false, "Values": [1]}', "must be a JSON object of names and values"),
        ('{"IsEncrypted": false, "Values": {"A": "1", "B": {"c": 1}}}', "B in .* must be a text, not an object"),
        ('{"IsEncrypted": false, "Values": {"A": "1", "B": ["c"]}}', "B in .* must be a text, not an object"),
        (
            '{"IsEncrypted": false, "Host": {"LocalHttpPort": "x"}}',
            "LocalHttpPort in local.settings.json must be a port, not 'x'",
        ),
        ('{"IsEncrypted": false, "Host": {"LocalHttpPort": 99999}}', "must be a port, not 99999"),
    ],
)
def test_a_broken_settings_file_is_one_clear_line(app: Path, content: str, said: str) -> None:
    (app / "local.settings.json").write_text(content)

    with pytest.raises(HostFailure, match=said):
        read(app)


def test_a_folder_without_host_json_is_not_an_app(tmp_path: Path) -> None:
    with pytest.raises(HostFailure, match="not the folder of a Functions app"):
        read(tmp_path)


def test_a_settings_file_that_was_asked_for_must_be_there(app: Path) -> None:
    with pytest.raises(HostFailure, match="is missing"):
        read(app, file=app / "other.json")
