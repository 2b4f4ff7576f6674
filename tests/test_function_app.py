"""The routes that the Functions host gets to know, as it asks them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev.functions_host.functions import FunctionTable
from tests.dev.indexed import function
from tests.harness.cells import cells

ROOT = Path(__file__).resolve().parents[1]
INDEXED = """
import json, function_app
print(json.dumps([one.get_bindings_dict()["bindings"][0] | {"name": one.get_function_name()}
    for one in function_app.app.get_functions()], default=str))
"""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""Those that Azure Functions for Python know."""


@pytest.fixture(scope="module")
def triggers() -> list[dict[str, Any]]:
    """The trigger of each function, with the function's name, in a process of its own: importing the app changes libraries."""
    done = subprocess.run([sys.executable, "-c", INDEXED], cwd=ROOT, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def table(triggers: list[dict[str, Any]]) -> FunctionTable:
    """The functions as the host asks them."""
    return FunctionTable(
        (function(one["name"], one["route"], one.get("methods"), str(one["authLevel"])) for one in triggers), prefix=""
    )


def test_the_host_serves_every_function_and_asks_the_one_for_all_other_addresses_last(table: FunctionTable) -> None:
    assert table.unserved == []
    assert table.functions[-1].name == "unmatched"


def test_every_function_names_its_methods(triggers: list[dict[str, Any]]) -> None:
    """For any other the host would start an invocation whose request the worker's server or framework refuses."""
    for one in triggers:
        assert one.get("methods"), one["name"]
        assert set(one["methods"]) <= set(METHODS)


@cells("method", METHODS)
@cells("path", ["/", "/docs", "/admin/x", "/runtime/x", "/v1//b", "/a//", "/chat/x", "/page/a/b", "/é", "/a%2Fb"])
def test_every_address_and_method_reaches_a_function(table: FunctionTable, method: str, path: str) -> None:
    assert table.find(method, path) is not None


@cells("method", ["PROPFIND", "TRACE", "FOO", "CONNECT"])
@cells("path", ["/", "/docs", "/v1/models", "/chat"])
def test_no_other_method_starts_an_invocation(table: FunctionTable, method: str, path: str) -> None:
    assert table.find(method, path) is None


@cells(
    ("method", "path", "name"),
    [
        ("GET", "/", "home"),
        ("HEAD", "/", "home"),
        ("HEAD", "/health", "health"),
        ("GET", "/usage", "caller_usage"),
        ("HEAD", "/page/app.js", "page"),
        ("HEAD", "/v1/models", "openai"),
        ("POST", "/chat/", "chat"),
        ("GET", "/chat", "chat_by_get"),
        ("GET", "/chat/stream", "chat_by_get"),
        ("GET", "/chat/answers/resp_x", "answer_again"),
        ("GET", "/chat/resp_x/stream", "answer_of_chat_again"),
        ("POST", "/chat/answers/resp_x/stop", "unmatched"),
        ("GET", "/stream", "stream_by_get"),
        ("POST", "/chat/stream", "chat_stream"),
        ("OPTIONS", "/v1//b", "preflight"),
        ("PUT", "/chat", "unmatched"),
        ("POST", "/v1//chat/completions", "unmatched"),
    ],
)
def test_each_address_is_answered_by_its_function(table: FunctionTable, method: str, path: str, name: str) -> None:
    found = table.find(method, path)
    assert found is not None
    assert found.function.name == name


@cells("path", ["/chat", "/chat/stream", "/stream"])
def test_whoever_opens_a_chat_address_in_a_browser_needs_no_key_to_be_told_how_to_ask(
    table: FunctionTable, path: str
) -> None:
    """The host's own answer would be a 401 with an empty body; a question still needs the key."""
    opened, asked = table.find("GET", path), table.find("POST", path)
    assert opened is not None
    assert asked is not None
    assert opened.function.level == "ANONYMOUS"
    assert asked.function.level == "FUNCTION"
