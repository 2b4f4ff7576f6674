"""This app at another commit, as subjects of the same run: what a change costs or saves is a ratio of two rows."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.roster import CHAT, RELAY, SUBJECTS, make_subject
from bench.service import ROOT
from bench.subject import FunctionApp, Subject

COMPARED = (RELAY, CHAT)


class UnknownCommit(Exception):
    """Git has no such commit."""


@contextmanager
def at_commit(ref: str) -> Iterator[list[str]]:
    """Check the commit out, and add its subjects to the roster; yield their names. Raise `UnknownCommit`.

    It runs on today's packages, driven by its own worker script.
    """
    with tempfile.TemporaryDirectory(prefix="bench-beside-") as place:
        folder = Path(place) / "app"
        added = subprocess.run(
            ["git", "worktree", "add", "--detach", str(folder), ref], cwd=ROOT, capture_output=True, text=True
        )
        if added.returncode:
            raise UnknownCommit(added.stderr.strip())
        names = [f"{name}@{ref}" for name in COMPARED]
        for name, one in zip(names, COMPARED, strict=True):
            SUBJECTS[name] = partial(_subject, one, name, ref, folder)
        try:
            yield names
        finally:
            for name in names:
                del SUBJECTS[name]
            subprocess.run(["git", "worktree", "remove", "--force", str(folder)], cwd=ROOT, check=True)


def _subject(of: str, name: str, ref: str, folder: Path) -> Subject:
    subject = make_subject(of)
    assert isinstance(subject, FunctionApp)
    subject.name, subject.title = name, f"{subject.title} at {ref}"
    subject.deploy(folder, {})
    subject.script = folder / "dev" / "worker.py"
    return subject
