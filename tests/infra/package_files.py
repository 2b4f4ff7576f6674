"""The files of a folder that a deployment takes, by the rules of each parser that reads `.funcignore`.

Core Tools: src/Cli/func/Common/{GitIgnoreParser,FileSystemHelpers}.cs of Azure/azure-functions-core-tools at 3ee97a6.
azd: cli/azd/pkg/project/project_utils.go of Azure/azure-dev at ae35809 over denormal/go-gitignore at ae8ad1d, which matches
with danwakefield/fnmatch. git: git itself.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

IGNORE_FILE = ".funcignore"


class CoreToolsRules:
    """Core Tools' parser: a regular expression of all patterns; an exception wins wherever it stands."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.split("\n")]
        lines = [line for line in lines if line and not line.startswith("#")]
        self._ignored = self._expression([line for line in lines if not line.startswith("!")])
        self._kept = self._expression([line[1:] for line in lines if line.startswith("!")])

    def keeps(self, path: str) -> bool:
        """Return whether the file at this path, relative to the ignore file, is deployed."""
        return bool(self._kept.search(path)) or not self._ignored.search(path)

    @classmethod
    def _expression(cls, patterns: list[str]) -> re.Pattern[str]:
        if not patterns:
            return re.compile("$^", re.ASCII)
        alternatives = ")|(".join(cls._translated(pattern.removeprefix("/")) for pattern in patterns)
        return re.compile(rf"^(({alternatives}))\b", re.ASCII)

    @staticmethod
    def _translated(pattern: str) -> str:
        escaped = re.sub(r"[\-\[\]/{}()+?.\\^$|]", r"\\\g<0>", pattern)
        return escaped.replace("**", "(.+)").replace("*", "([^\\/]+)")


@dataclass(frozen=True, slots=True)
class _GoPattern:
    is_exception: bool
    is_anchored: bool
    is_for_folders: bool
    parts: tuple[str, ...]

    def matches(self, path: str, *, is_folder: bool) -> bool:
        if self.is_for_folders and not is_folder:
            return False
        if "**" in self.parts:
            return _matches_parts(path.split("/"), self.parts)
        if len(self.parts) > 1:
            names = path.split("/")
            return len(names) == len(self.parts) and all(map(fnmatchcase, names, self.parts))
        # Without FNM_PATHNAME: a star at the top matches slashes too.
        return fnmatchcase(path if self.is_anchored else path.rpartition("/")[2], self.parts[0])


def _matches_parts(names: list[str], parts: tuple[str, ...]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return _matches_parts(names, parts[1:]) or (bool(names) and _matches_parts(names[1:], parts))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _matches_parts(names[1:], parts[1:])


class AzdRules:
    """azd's parser: the last pattern that matches decides; a pattern is compared with the path itself, not with its folders."""

    def __init__(self, text: str) -> None:
        self._patterns = [
            pattern for line in text.split("\n") if line and line[0] != "#" and (pattern := self._parsed(line))
        ]

    def keeps(self, path: str, *, is_folder: bool) -> bool:
        """Return whether this path, relative to the ignore file, is deployed or looked into."""
        found = [pattern for pattern in self._patterns if pattern.matches(path, is_folder=is_folder)]
        return not found or found[-1].is_exception

    @staticmethod
    def _parsed(line: str) -> _GoPattern | None:
        body = line.removeprefix("!")
        parts = tuple(body.strip("/").split("/"))
        if any("**" in part and part != "**" for part in parts):
            return None  # it is invalid there, and passed over
        return _GoPattern(line.startswith("!"), body.startswith("/"), body.endswith("/"), parts)


def taken_by_core_tools(root: Path) -> set[str]:
    """Return what `func azure functionapp publish` and `func pack` upload. Links are followed."""
    rules = CoreToolsRules((root / IGNORE_FILE).read_text(encoding="utf-8"))
    taken = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if name.lower() not in {".git", ".vscode"}]
        for name in files:
            path = (Path(folder) / name).relative_to(root).as_posix()
            built_in = name.lower() in {".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}
            if not built_in and rules.keeps(path):
                taken.add(path)
    return taken


def taken_by_azd(root: Path) -> set[str]:
    """Return what `azd deploy` uploads. Links are followed; an ignored folder is not looked into."""
    rules = AzdRules((root / IGNORE_FILE).read_text(encoding="utf-8"))

    def walk(folder: Path) -> Iterator[str]:
        for path in folder.iterdir():
            name = path.relative_to(root).as_posix()
            built_in = path.name == ".azure" if path.is_dir() else path.name in {IGNORE_FILE, "local.settings.json"}
            if built_in or not rules.keeps(name, is_folder=path.is_dir()):
                continue
            if path.is_dir():
                yield from walk(path)
            else:
                yield name

    return set(walk(root))


def taken_by_git(root: Path) -> set[str]:
    """Return what is left where git's own rules are applied, as by Visual Studio Code."""
    git = ["git", "-c", "core.excludesFile=", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = [*git, "ls-files", "-z", "--others", f"--exclude-from={root / IGNORE_FILE}"]
    return set(subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")) - {""}
