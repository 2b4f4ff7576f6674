"""Function apps as a deployment starts them: unpacked on a disk that is not written to, with the times of the unpacking.

*Published*: without bytecode, as `func azure functionapp publish` leaves the app's own files, and with nothing that keeps the
packages' valid. *Packaged*: as `make package` builds it.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.roster import RELAY, make_subject
from bench.subject import FunctionApp
from dev.package import SITE_PACKAGES, built_files, compile_modules

PUBLISHED, PACKAGED = "published", "packaged"
WAYS = (PUBLISHED, PACKAGED)
PUBLISHED_CPU, PACKAGED_CPU = (f"{way}_cpu" for way in WAYS)
_NO_WRITING = {"PYTHONDONTWRITEBYTECODE": "1"}
"""What a read-only disk means to Python; root could write to a folder whatever its permissions."""


class Deployments:
    """The folders of the apps, by name and way."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        """Build them, which takes half a minute. Raise `NotPackaged` where that fails."""
        self._folder = folder
        package = folder / RELAY / PACKAGED
        package.mkdir(parents=True)
        built_files(package)
        for name in names:
            if name != RELAY:
                self._add(name, package)
            published = folder / name / PUBLISHED
            # Copying gives each file the time of now, as unpacking does.
            shutil.copytree(
                folder / name / PACKAGED,
                published,
                ignore=shutil.ignore_patterns("__pycache__"),
                copy_function=shutil.copyfile,
            )

    def subject(self, name: str, way: str) -> FunctionApp:
        """Return the subject, which starts from its folder."""
        subject = make_subject(name)
        assert isinstance(subject, FunctionApp)
        subject.deploy(self._folder / name / way, _NO_WRITING)
        return subject

    def _add(self, name: str, package: Path) -> None:
        subject = make_subject(name)
        assert isinstance(subject, FunctionApp)
        folder = self._folder / name / PACKAGED
        folder.mkdir(parents=True)
        shutil.copyfile(subject.app / "function_app.py", folder / "function_app.py")
        compile_modules(folder)
        # The same packages for each app: what an app does not import costs it nothing.
        shutil.copytree(package / SITE_PACKAGES, folder / SITE_PACKAGES, copy_function=shutil.copyfile)


@contextmanager
def deployments(names: Sequence[str]) -> Iterator[Deployments]:
    """Build the folders of these apps, and remove them afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-deployed-") as folder:
        yield Deployments(Path(folder), names)
