"""Which function answers which path: templates, constraints, and the order of functions."""

import pytest

from dev.functions_host.functions import FunctionTable
from dev.functions_host.route_template import RouteTemplate
from tests.dev.indexed import function


@pytest.mark.parametrize(
    ("template", "path", "parameters"),
    [
        ("chat", "/chat", {}),
        ("chat", "/CHAT/", {}),
        ("chat", "/chat/stream", None),
        ("chat", "/chat//", None),
        ("api/chat", "/chat", None),
        ("items/{id}", "/items/7", {"id": "7"}),
        ("items/{id}", "/items", None),
        ("items/{id?}", "/items", {}),
        ("items/{id?}", "/items/", {}),
        ("items/{id?}", "/items/7", {"id": "7"}),
        ("items/{id=3}", "/items", {"id": "3"}),
        ("v1/{*path}", "/v1", {}),
        ("v1/{*path}", "/v1/", {}),
        ("v1/{*path}", "/v1/a/b c/", {"path": "a/b c/"}),
        ("v1/{**path}", "/v1/a/b", {"path": "a/b"}),
        ("v1/{*path}", "/v2/a", None),
        ("v1/{*path}", "/v1//b", None),
        ("v1/{*path}", "/v1//", None),
        ("v1/{*path}", "/v1/a//b", {"path": "a//b"}),
        ("v1/{*path}", "//v1/a", None),
        ("{*path}", "//", None),
        ("{*path}", "//a", None),
        ("{*path}", "/a//b", {"path": "a//b"}),
        ("items/{id?}", "/items//", None),
        ("{*path}", "/", {}),
        ("{*path}", "/a/b", {"path": "a/b"}),
        ("{ignored:maxlength(0)?}", "/", {}),
        ("{ignored:maxlength(0)?}", "/a", None),
        ("{id:int}", "/12", {"id": "12"}),
        ("{id:int}", "/-12", {"id": "-12"}),
        ("{id:int}", "/99999999999", None),
        ("{id:int}", "/twelve", None),
        ("{id:long}", "/99999999999", {"id": "99999999999"}),
        ("{id:guid}", "/b5963221-584f-4678-be13-23b4ccf62c1b", {"id": "b5963221-584f-4678-be13-23b4ccf62c1b"}),
        ("{id:guid}", "/b5963221", None),
        ("{name:alpha}", "/Ada", {"name": "Ada"}),
        ("{name:alpha}", "/R2D2", None),
        ("{name:alpha:length(3)}", "/Ada", {"name": "Ada"}),
        ("{name:alpha:length(3)}", "/Adam", None),
        ("{age:range(18,99)}", "/17", None),
        ("{age:min(18)}", "/18", {"age": "18"}),
        ("{year:regex(^\\d{{4}}$)}", "/2026", {"year": "2026"}),
        ("{year:regex(^\\d{{4}}$)}", "/26", None),
        ("files/{name}.{extension}", "/files/a.txt", {"name": "a", "extension": "txt"}),
    ],
)
def test_a_template_takes_a_path_as_aspnet_routing_does(
    template: str, path: str, parameters: dict[str, str] | None
) -> None:
    assert RouteTemplate(template).match(path) == parameters


@pytest.mark.parametrize("template", ["{id", "id}", "{id:whole}", "{id:length(1}", "{id:length(1,2,3)}", "{}"])
def test_a_template_that_means_nothing_is_an_error(template: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        RouteTemplate(template)


def test_functions_are_asked_by_name_and_the_first_match_wins() -> None:
    table = FunctionTable([function("b_exact", "v1/models"), function("A_all", "v1/{*path}")], "")

    match = table.find("GET", "/v1/models")

    assert match is not None
    assert match.function.name == "A_all"
    assert match.parameters == {"path": "models"}


def test_a_method_that_is_not_listed_leads_to_the_next_function_or_to_none() -> None:
    table = FunctionTable([function("a", "{*path}", ["POST"]), function("b", "chat", ["GET"])], "")

    found = table.find("GET", "/chat")

    assert found is not None
    assert found.function.name == "b"
    assert table.find("HEAD", "/chat") is None
    assert table.find("OPTIONS", "/chat") is None


def test_a_function_without_methods_takes_every_verb() -> None:
    assert FunctionTable([function("a", "chat")], "").find("PROPFIND", "/chat") is not None


def test_an_empty_route_is_the_functions_name_under_the_prefix() -> None:
    table = FunctionTable([function("chat", "")], "api")

    assert table.find("GET", "/api/chat") is not None
    assert table.find("GET", "/api") is None


@pytest.mark.parametrize("route", ["admin", "/Admin/tools", "administration", "runtime/x"])
def test_a_reserved_route_is_refused_and_the_others_stay(route: str) -> None:
    table = FunctionTable([function("bad", route), function("good", "chat")], "")

    assert [one.name for one in table.functions] == ["good"]
    assert "'bad' is not served" in table.unserved[0]
    assert "built in routes" in table.unserved[0]


def test_two_functions_with_one_route_conflict_only_when_they_share_a_method() -> None:
    shared = FunctionTable([function("a", "chat", ["GET"]), function("b", "/CHAT", ["GET", "POST"])], "")
    apart = FunctionTable([function("a", "chat", ["GET"]), function("b", "chat", ["POST"])], "")

    assert "conflicts with the route defined by function 'a'" in shared.unserved[0]
    assert [one.name for one in apart.functions] == ["a", "b"]


def test_a_function_without_an_http_trigger_is_named_and_not_served() -> None:
    timer = {"name": "tick", "function_id": "tick", "bindings": ['{"type": "timerTrigger", "name": "timer"}']}

    table = FunctionTable([timer], "")

    assert table.functions == []
    assert "'tick' is not served" in table.unserved[0]
