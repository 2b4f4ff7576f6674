"""What the real Bicep compiler says, where there is one, and the cause of what it would say, where there is none."""

import re
from pathlib import Path

import pytest

from dev.infra_check.bicep import Declaration
from dev.infra_check.tree import Project, Skipped
from tests.infra.planting import ROOT, plant, said

CHECK = "bicep build"
WARNING = "{root}/infra/main.bicep(405,13) : Warning BCP329: The provided value can be as small as 0."


def compiled(root: Path) -> str:
    """What the compiler says; the test is skipped, with the reason, where there is none."""
    try:
        return said(root, CHECK)
    except Skipped as reason:
        pytest.skip(str(reason))


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a compiler: an empty directory, which is its PATH and its home too."""
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.delenv("BICEP", raising=False)
    monkeypatch.setenv("PATH", str(empty))
    monkeypatch.setenv("HOME", str(empty))
    monkeypatch.chdir(empty)
    return empty


def fake_compiler(where: Path, script: str) -> Path:
    """A program that says what a test wants the compiler to say."""
    program = where / "bicep"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


def test_the_real_compiler_builds_infra_without_a_warning() -> None:
    assert compiled(ROOT) == ""


def test_the_real_compilers_warning_fails_the_check(copy: Path) -> None:
    assert compiled(copy) == ""
    plant(copy, "infra/main.bicep", "amount: max(budgetAmount, 1)", "amount: budgetAmount")
    assert compiled(copy).startswith("infra/main.bicep(")
    assert "Warning BCP329" in compiled(copy)


def test_where_there_is_no_compiler_the_check_says_that_nothing_was_compiled(copy: Path, nowhere: Path) -> None:
    with pytest.raises(Skipped, match="nothing was compiled"):
        said(copy, CHECK)


def test_a_warning_fails_the_check_although_the_exit_status_is_0(copy: Path, nowhere: Path) -> None:
    fake_compiler(nowhere, f"echo '{WARNING.format(root=copy)}' >&2; echo '{{}}'")
    assert said(copy, CHECK) == WARNING.replace("{root}/", "")


@pytest.mark.parametrize("script", ["echo oops >&2; exit 1", "echo oops >&2"], ids=["an exit status", "no template"])
def test_a_compiler_that_says_nothing_and_makes_nothing_has_not_passed(copy: Path, nowhere: Path, script: str) -> None:
    fake_compiler(nowhere, script)
    assert said(copy, CHECK) == "the compiler did not finish: oops"


def test_a_compiler_that_is_named_and_missing_is_a_failure(
    copy: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BICEP", str(nowhere / "gone"))
    assert "there is no such file" in said(copy, CHECK)


def minimum(declaration: Declaration) -> int | None:
    """Its @minValue."""
    for decorator in declaration.decorators:
        if found := re.fullmatch(r"minValue\((-?\d+)\)", decorator):
            return int(found.group(1))
    return None


def smallest(value: str, parameters: dict[str, Declaration]) -> int | None:
    """How small a value can be, as the compiler sees it: a number, a parameter, or max() of such."""
    if re.fullmatch(r"-?\d+", value):
        return int(value)
    if found := re.fullmatch(r"max\((.*)\)", value):
        known = [smallest(part.strip(), parameters) for part in found.group(1).split(",")]
        return max((one for one in known if one is not None), default=None)
    return minimum(parameters[value]) if value in parameters else None


def test_no_module_is_given_a_number_that_may_be_smaller_than_it_takes() -> None:
    project = Project.read(ROOT)
    parameters = {found.name: found for found in project.main("param")}
    takes = {
        (file.path, found.name): least
        for file in project.bicep
        for found in file.of("param")
        if (least := minimum(found)) is not None
    }
    compared = 0
    for module in project.main("module"):
        given = module.at("params")
        assert isinstance(given, dict)
        for name, value in given.items():
            least = takes.get((module.type, name))
            if least is not None:
                found = smallest(str(value), parameters)
                assert found is not None, f"{module.place}: {name}: {value} has no known minimum"
                assert found >= least, f"{module.place}: {name}: {value} may be {found}, and {least} is the minimum"
                compared += 1
    assert compared, "budget.bicep takes no amount below 1"
