"""What `make check-infra` says in the end, and its exit status."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.infra_check import __main__ as program
from dev.infra_check.tree import Project, Skipped


def fine(_project: Project) -> Iterator[str]:
    yield from ()


def wrong(_project: Project) -> Iterator[str]:
    yield "one thing is wrong"


def absent(_project: Project) -> Iterator[str]:
    raise Skipped("no such program here")


@pytest.mark.parametrize(
    ("checks", "status", "lines"),
    [
        ((fine,), 0, ["ok       fine", "infra/ is in order"]),
        ((wrong, fine), 1, ["failed   wrong:", "           one thing is wrong", "ok       fine", "1 of 2 checks failed"]),
        (
            (absent, fine),
            0,
            [
                "skipped  absent: no such program here",
                "ok       fine",
                "infra/ is in order; 1 could not be made here, as said above",
            ],
        ),
        (
            (absent, wrong),
            1,
            [
                "skipped  absent: no such program here",
                "failed   wrong:",
                "           one thing is wrong",
                "1 of 2 checks failed; 1 could not be made here, as said above",
            ],
        ),
    ],
    ids=["all is well", "a failure", "a check that cannot be made", "both"],
)
def test_the_last_line_says_how_much_of_it_could_be_checked(
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
