"""What the real Bicep compiler says of mistakes, where there is one; that infra/ has none is for `make check-infra` to see."""

from pathlib import Path

import pytest

from dev.infra_check.evaluated import DEFAULTS, FOLDER
from dev.infra_check.tree import Skipped
from tests.infra.planting import plant, said

CHECK = "bicep build"
WARNING = "{root}/infra/main.bicep(405,13) : Warning BCP329: The provided value can be as small as 0."


# What the compiler alone sees: in which file, what stands there, what takes its place, what it has to say.
MISTAKES = (
    ("infra/core/budget.bicep", "@minValue(1)", "@minValue(2)", "Warning BCP329"),
    ("infra/core/storage.bicep", "allowSharedKeyAccess", "allowSharedKeyAcces", "allowSharedKeyAcces"),
    (
        "infra/main.bicep",
        "developerPrincipalId: principalId",
        "developerPrincipleId: principalId",
        "developerPrincipleId",
    ),
    ("infra/app/rbac.bicep", "param usesTables bool", "param usesTables object", "use-user-defined-types"),
    (
        "infra/main.bicep",
        "storageAccountName: storageName",
        "storageAccountName: storage.outputs.name",
        "what-if-short-circuiting",
    ),
)


def compiled(root: Path, check: str = CHECK) -> str:
    """What the compiler says; the test is skipped, with the reason, where there is none."""
    try:
        return said(root, check)
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


@pytest.mark.slow
def test_each_mistake_that_the_real_compiler_alone_sees_fails_the_check(copy: Path) -> None:
    """One after the other: a module with an error keeps the compiler from looking at what uses it."""
    for file, right, wrong, says in MISTAKES:
        text = (copy / file).read_text(encoding="utf-8")
        plant(copy, file, right, wrong)
        found = compiled(copy)
        assert says in found, (wrong, found)
        assert found.startswith("infra/")
        (copy / file).write_text(text, encoding="utf-8")


@pytest.mark.slow
def test_a_wrong_field_in_a_list_of_accounts_is_an_error_at_its_place(copy: Path) -> None:
    plant(copy, f"{FOLDER}/accounts.bicepparam", "priority: 2", "urgency: 2")
    for path in (copy / FOLDER).glob("*"):
        if not path.name.startswith("accounts."):
            path.unlink()
    found = compiled(copy, "bicep evaluated")
    assert "accounts.bicepparam(" in found
    assert "urgency" in found


@pytest.mark.slow
def test_a_deployment_that_is_not_the_stored_one_is_seen_as_a_difference(copy: Path) -> None:
    for path in (copy / FOLDER).glob("*"):
        if not path.name.startswith(f"{DEFAULTS}."):
            path.unlink()
    plant(copy, "infra/core/storage.bicep", "'Standard_LRS'", "'Standard_ZRS'")
    found = compiled(copy, "bicep evaluated")
    assert '"Standard_LRS" => "Standard_ZRS"' in found
    assert "make check-infra STORE=1" in found


def test_a_parameter_set_that_was_never_evaluated_is_named(copy: Path, nowhere: Path) -> None:
    for path in (copy / FOLDER).glob("*"):
        path.unlink()
    (copy / FOLDER / "new.bicepparam").touch()
    fake_compiler(nowhere, "exit 0")
    assert said(copy, "bicep evaluated") == f"{FOLDER}/new lacks its parameters or what they evaluate to"


def test_where_there_is_no_compiler_each_check_says_what_it_has_not_checked(copy: Path, nowhere: Path) -> None:
    for check, unchecked in (
        (CHECK, "nothing was compiled"),
        ("bicep format", "no file's format was checked"),
        ("bicep evaluated", "not compared"),
    ):
        with pytest.raises(Skipped, match=unchecked):
            said(copy, check)


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
