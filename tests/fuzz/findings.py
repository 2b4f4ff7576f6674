"""What a run has found: each kind is shown once, and its first case becomes a file that replays."""

import re
from collections import Counter
from pathlib import Path

import msgspec

from tests.fuzz.case import Case, Surface, save
from tests.fuzz.seen import Seen
from tests.fuzz.verdict import problems_of

SHOWN = 40


class Findings:
    """`kinds`: how often each was found. `statuses`: how often each was answered; 0 for none. `folder`: where cases go."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self.kinds: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    def judge(self, case: Case, seen: Seen) -> None:
        self.statuses[seen.status] += 1
        for problem in problems_of(case, seen):
            self.note(case, problem)

    def note(self, case: Case, problem: str) -> None:
        kind = f"{case.surface}: " + re.sub(r"'[^']*'|\"[^\"]*\"|[0-9]+", "_", problem)[:70]
        self.kinds[kind] += 1
        if self.kinds[kind] == 1 and len(self.kinds) <= SHOWN:
            print(f"  {case.surface}: {problem}\n    {self._saved(case, problem)}", flush=True)

    def strays(self, surface: Surface, problems: list[str]) -> None:
        for problem in problems:
            self.kinds[f"{surface}: {problem[:70]}"] += 1
            print(f"  {surface}, of no one case: {problem[:2000]}", flush=True)

    def _saved(self, case: Case, problem: str) -> str:
        """Return how to replay it; where nothing is written, where it comes from."""
        if self._folder is None:
            return case.note
        path = self._folder / f"{case.surface}-{'-'.join(re.findall('[0-9]+', case.note)[:2])}.json"
        save(msgspec.structs.replace(case, note=f"{case.note}: {problem}"), path)
        return f"REPLAY={path}"
