"""Bicep and Terraform are read as they are written: strings, comments, loops and brackets where one would not expect them."""

from pathlib import Path

import pytest

from dev.infra_check.bicep import Declaration, read_bicep
from dev.infra_check.scanner import Malformed, leaves, literal
from dev.infra_check.terraform import Block, blocks_of, read_terraform


def bicep(tmp_path: Path, text: str) -> list[Declaration]:
    (tmp_path / "main.bicep").write_text(text)
    (file,) = read_bicep(tmp_path)
    return list(file.declarations)


def terraform(tmp_path: Path, text: str) -> Block:
    (tmp_path / "terraform").mkdir()
    (tmp_path / "terraform" / "main.tf").write_text(text)
    (block,) = blocks_of(read_terraform(tmp_path), "resource")
    return block


def test_brackets_and_comment_marks_inside_strings_are_text(tmp_path: Path) -> None:
    (found,) = bicep(tmp_path, "var a = {\n  url: 'https://x/{y}' // a comment with { and '\n  b: 'it\\'s'\n}\n")
    assert leaves(found.body) == {"url": "'https://x/{y}'", "b": "'it\\'s'"}


def test_a_string_may_hold_an_expression_with_strings(tmp_path: Path) -> None:
    (found,) = bicep(tmp_path, "var a = {\n  b: 'x${empty(c) ? '}' : c}y'\n}\n")
    assert leaves(found.body) == {"b": "'x${empty(c) ? '}' : c}y'"}


def test_a_loop_and_a_condition_are_looked_through(tmp_path: Path) -> None:
    one, many = bicep(
        tmp_path,
        "resource a 'X/a@1' = if (!empty(b) && (c)) {\n  name: 'a'\n}\n"
        "resource d 'X/d@1' = [for (e, i) in f: {\n  name: 'd'\n}]\n",
    )
    assert (literal(one.at("name")), literal(many.at("name")), many.resource_type) == ("a", "d", "X/d")


def test_decorators_belong_to_what_follows_them(tmp_path: Path) -> None:
    first, second = bicep(
        tmp_path, "@description('Optional. It\\'s.')\n@allowed([\n  'a'\n])\nparam a string = 'a'\n\nparam b int\n"
    )
    assert (first.description, first.value, second.description, second.value) == ("Optional. It's.", "'a'", "", "")


def test_an_expression_that_begins_like_an_object_is_no_object(tmp_path: Path) -> None:
    (found,) = bicep(tmp_path, "var a = {\n  b: c ? {\n    d: 1\n  } : {}\n  e: [\n    1\n  ]\n}\n")
    assert leaves(found.body) == {"b": "c ? {\n    d: 1\n  } : {}", "e.0": "1"}


def test_inner_blocks_arguments_and_objects_of_terraform_have_one_kind_of_path(tmp_path: Path) -> None:
    block = terraform(
        tmp_path,
        'resource "a" "b" {\n  # {\n  c = "${d["}"]}"\n  e {\n    f = 1\n  }\n  g = { h = { "i-j" = true } }\n'
        "  k = { for l in m : l => l }\n}\n",
    )
    assert block.address == "a.b"
    assert [block.at(path) for path in ("c", "e.f", "g.h.i-j", "e.z", "z")] == ['"${d["}"]}"', "1", "true", None, None]
    assert block.at("k") == "{ for l in m : l => l }"


def test_a_type_of_several_fields_belongs_to_the_declaration(tmp_path: Path) -> None:
    first, second = bicep(tmp_path, "import { A } from 'types.bicep'\n\nparam a { *: string } = {}\nparam b A[]\n")
    assert (first.type, first.value, second.type) == ("{ *: string }", {}, "A[]")


@pytest.mark.parametrize("text", ["var a = {\n  b: 1\n", "var a = 'x\n", "var a = (1\n", "var a = [)\n", "}\n"])
def test_what_is_not_well_formed_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(Malformed, match=r"main\.bicep: line 1"):
        bicep(tmp_path, text)
