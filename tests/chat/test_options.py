"""The options of a request: what is accepted, and the sentence for what is not."""

import json
from typing import Any

import pytest

from shared.chat.options import read_options
from shared.errors import BadRequest
from shared.http.json_body import parse_fields
from tests.harness.cells import cells


def options(body: dict[str, Any] | bytes, *, other: tuple[str, ...] = ("input",)) -> dict[str, Any]:
    return read_options(parse_fields(body if isinstance(body, bytes) else json.dumps(body).encode()), other=other)


def test_every_option_is_read() -> None:
    given = {
        "model": "m", "temperature": 0.5, "top_p": 1, "max_output_tokens": 5, "reasoning_effort": "low", "stop": "x",
        "seed": -1, "stream": False,
    }  # fmt: skip
    assert options(given) == given | {"stop": ("x",)}


def test_a_null_option_counts_as_not_given() -> None:
    assert options({"temperature": None, "input": "hi"}) == {}


def test_lone_surrogates_in_an_option_become_the_replacement_character() -> None:
    assert options(b'{"stop": ["\\udfff"]}') == {"stop": ("\ufffd",)}


@cells(
    ("name", "value", "allowed"),
    [
        ("temperature", "hot", "a number from 0 to 2"),
        ("temperature", True, "a number from 0 to 2"),
        ("temperature", 2.1, "a number from 0 to 2"),
        ("top_p", -1, "a number from 0 to 1"),
        ("max_output_tokens", 1.5, "an integer from 1 to 10000000"),
        ("max_output_tokens", 0, "an integer from 1 to 10000000"),
        ("reasoning_effort", "much", "one of none, minimal, low, medium, high, xhigh"),
        ("reasoning_effort", ["low"], "one of none, minimal, low, medium, high, xhigh"),
        ("stop", ["a", "b", "c", "d", "e"], "text, or a list of 1 to 4 texts"),
        ("stop", [""], "texts that are not empty"),
        ("seed", "x", f"an integer from {-(2**63)} to {2**63 - 1}"),
        ("stream", "yes", "true or false"),
        ("model", "", "text that is not empty"),
        ("model", " ", "text that is not empty"),
    ],
)
def test_an_error_names_the_option_and_what_is_allowed(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(BadRequest) as caught:
        options({name: value})
    assert (caught.value.status, caught.value.param) == (400, name)
    assert caught.value.message == f"'{name}' is not valid; expected {allowed}."


@cells("number", ["9" * 5000, "-" + "9" * 5000, "1e999", "-1e999999999"])
@cells("field", ["temperature", "seed", "max_output_tokens"])
def test_a_number_too_large_for_this_machine_is_still_json_and_its_field_is_named(field: str, number: str) -> None:
    with pytest.raises(BadRequest, match=r"expected an? (integer|number) from") as caught:
        options(f'{{"{field}": {number}}}'.encode())
    assert caught.value.param == field


@cells("names", [("zz", "aa"), ("aa", "zz")])
def test_the_first_unknown_field_is_named_with_those_that_are_allowed(names: tuple[str, str]) -> None:
    with pytest.raises(BadRequest, match=f"Unknown field '{names[0]}'; allowed are input, model, ") as caught:
        options({"input": "hi"} | dict.fromkeys(names, 1))
    assert caught.value.param == names[0]


def test_a_long_name_of_an_unknown_field_is_cut() -> None:
    with pytest.raises(BadRequest) as caught:
        options({"x" * 1000: 1})
    assert caught.value.param == "x" * 128 + "…"


def test_an_unknown_field_is_named_before_any_value_is_decoded() -> None:
    deep = b"[" * 9_000 + b"]" * 9_000
    with pytest.raises(BadRequest, match="Unknown field 'x'"):
        options(b'{"x": 1, "stop": ' + deep + b"}")
