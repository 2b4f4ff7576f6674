"""Each error that someone could make is planted, and seen by the check that is there for it."""

import tomllib
from pathlib import Path

import pytest

from dev.infra_check.tools import TOOLS, reasoned_skips
from dev.infra_check.tree import Project, Skipped
from tests.harness.cells import cells
from tests.infra.planting import ROOT, plant, planted, said

PLANTED = tomllib.loads(Path(__file__).with_name("planted_errors.toml").read_text(encoding="utf-8"))["error"]
STORAGE, SITE = "infra/terraform/storage.tf", "infra/terraform/function.tf"
MISTYPED = {
    "an argument in Terraform": ("terraform types", STORAGE, "shared_access_key_enabled", "shared_access_key_enable"),
    "a property in an azapi body": ("terraform types", SITE, "maximumInstanceCount", "maxInstanceCount"),
}


@pytest.mark.parametrize("check", sorted({error["check"] for error in PLANTED} | {row[0] for row in MISTYPED.values()}))
def test_without_a_planted_error_nothing_is_seen(copy: Path, check: str) -> None:
    try:
        assert said(copy, check) == ""
    except Skipped as reason:
        pytest.skip(str(reason))


@cells("error", PLANTED, ids=[error["name"] for error in PLANTED])
def test_a_planted_error_is_seen(copy: Path, error: dict[str, str]) -> None:
    with planted(copy, error["file"], error["old"], error["new"]):
        assert error["says"] in said(copy, error["check"])


@pytest.mark.parametrize(("check", "file", "right", "wrong"), MISTYPED.values(), ids=MISTYPED.keys())
def test_a_mistyped_name_is_seen(copy: Path, check: str, file: str, right: str, wrong: str) -> None:
    plant(copy, file, right, wrong)
    try:
        assert wrong.partition(":")[0] in said(copy, check)
    except Skipped as reason:
        pytest.skip(str(reason))


def test_a_skip_without_a_reason_is_seen(copy: Path) -> None:
    plant(copy, "infra/.checkov.yaml", "skip-check:\n", "skip-check:\n  - CKV_AZURE_1\n")
    assert reasoned_skips(copy)[1] == ["CKV_AZURE_1"]
    assert "CKV_AZURE_1 has no reason" in said(copy, "checkov")


def test_a_reason_holds_for_the_lines_right_below_it_only(tmp_path: Path) -> None:
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / ".checkov.yaml").write_text(
        "skip-check:\n  # one reason\n  - CKV_1\n  - CKV_2\n  # another\n  # on two lines\n  - CKV_3\n"
    )
    assert reasoned_skips(tmp_path) == (frozenset({"CKV_1", "CKV_2", "CKV_3"}), [])


@pytest.mark.slow
def test_checkov_says_what_it_finds_in_either_tree_and_what_is_no_longer_skipped(copy: Path) -> None:
    tools = ROOT / TOOLS.parent
    if not (tools / "bin" / "checkov").exists():
        pytest.skip("checkov is not installed; `make check-infra` does it")
    (copy / tools.name).symlink_to(tools)
    plant(copy, "tests/infra/evaluated/defaults.snapshot.json", '"httpsOnly": true', '"httpsOnly": false')
    plant(
        copy, "infra/terraform/storage.tf", 'min_tls_version                   = "TLS1_2"', 'min_tls_version = "TLS1_0"'
    )
    plant(copy, "infra/.checkov.yaml", "skip-check:\n", "skip-check:\n  # for no reason\n  - CKV_AZURE_1\n")
    words = said(copy, "checkov")
    assert "CKV_AZURE_14 " in words
    assert "evaluated/defaults.json" in words
    assert "infra/terraform/storage.tf: CKV_AZURE_44 " in words
    assert "skips CKV_AZURE_1, which checkov no longer finds" in words


@cells("check", ["checkov", "schemas"])
def test_a_tool_that_could_not_be_installed_is_a_failure(copy: Path, check: str) -> None:
    assert "is missing" in said(copy, check)


def test_broken_json_is_seen(copy: Path) -> None:
    plant(copy, "infra/abbreviations.json", "{", "{,")
    assert "infra/abbreviations.json" in said(copy, "schemas")


def test_a_file_that_cannot_be_read_is_named(copy: Path) -> None:
    plant(copy, "infra/core/identity.bicep", "  tags: tags\n}", "  tags: tags\n")
    with pytest.raises(ValueError, match=r"infra/core/identity\.bicep"):
        Project.read(copy)
