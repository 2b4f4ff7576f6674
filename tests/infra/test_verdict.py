"""The last line of `make check-infra`, and its exit status."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.infra_check import __main__ as program
from dev.infra_check.tree import Project, Skipped


def fine(_project: Project) -> Iterator[str]:
    yield from ()


def invalid(_project: Project) -> Iterator[str]:
    yield "one thing is invalid"


def absent(_project: Project) -> Iterator[str]:
    raise Skipped("no such program here")


@pytest.mark.parametrize(
    ("checks", "status", "lines"),
    [
        ((fine,), 0, ["ok       fine", "infra/ is in order"]),
        (
            (invalid, fine),
            1,
            ["failed   invalid:", "           one thing is invalid", "ok       fine", "1 of 2 checks failed"],
        ),
        (
            (absent, fine),
            0,
            [
                "skipped  absent: no such program here",
                "ok       fine",
                "infra/ is in order; 1 skipped",
            ],
        ),
        (
            (absent, invalid),
            1,
            [
                "skipped  absent: no such program here",
                "failed   invalid:",
                "           one thing is invalid",
                "1 of 2 checks failed; 1 skipped",
            ],
        ),
    ],
    ids=["no problem", "a failure", "a skipped check", "both"],
)
def test_the_last_line_reports_failed_and_skipped_checks(
    copy: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    checks: tuple[object, ...],
    status: int,
    lines: list[str],
) -> None:
    monkeypatch.setattr(program, "CHECKS", {getattr(check, "__name__", ""): check for check in checks})
    assert program.main(copy) == status
    assert capsys.readouterr().out.splitlines() == lines
