"""Packages whose `__init__` runs at the first look at one of its names: what a cold start need not import.

`import openai` 3.52 builds eleven hundred classes for requests and answers, in 468 modules. This app passes bytes on and
needs none of them. A late package and its modules can be imported as ever; looking at a name of the package, `dir()` and
`from package import *` run its `__init__` first. Only `vars(package)` shows that it has not run yet.

`importlib.util.LazyLoader` is not used: it loads at any attribute, `__path__` included, which the import of the first
submodule reads. That would be all of `openai.types`, at once.
"""

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_bootstrap: Any = getattr(importlib, "_bootstrap", None)
_LOADER = "_late_loader"


def problem(bootstrap: Any) -> str:
    """Return what is missing of importlib's lock per module, '' where it is there."""
    missing = [name for name in ("_ModuleLockManager", "_DeadlockError") if not hasattr(bootstrap, name)]
    return f"importlib has no {' and no '.join(missing)}" if missing else ""


class LatePackage(ModuleType):
    """A package whose `__init__` has not run yet. When it has, this is a plain module."""

    def __getattr__(self, name: str) -> Any:
        """Run the `__init__`, then look again. Raise AttributeError, or what the `__init__` raises."""
        _load(self)
        if name not in self.__dict__ and type(self) is LatePackage:  # its `__init__` is running
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        """Run the `__init__`, then list the names. Raise what the `__init__` raises."""
        _load(self)
        return list(ModuleType.__dir__(self))


def _load(module: ModuleType) -> None:
    """Run the `__init__` of the package, unless it has run or is running. Raise what it raises, at each look.

    NOTE: under importlib's own lock for this module, as an import would. Threads that import each other's modules are then
    found, and one of them gets the package as far as it is. A lock of our own would deadlock.
    """
    try:
        with _bootstrap._ModuleLockManager(module.__name__):
            loader = module.__dict__.pop(_LOADER, None)
            if loader is not None:
                _execute(module, loader)
    except _bootstrap._DeadlockError:
        return


def _execute(module: ModuleType, loader: Loader) -> None:
    before = dict(module.__dict__)
    try:
        loader.exec_module(module)
    except BaseException:
        module.__dict__.clear()
        module.__dict__.update(before, **{_LOADER: loader})  # as for a failed import, the next look tries again
        raise
    module.__class__ = ModuleType


class _LateLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return LatePackage(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__[_LOADER] = self._loader


class _LateFinder(MetaPathFinder):
    def __init__(self, root: str) -> None:
        self._root = root

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._root and not fullname.startswith(self._root + "."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None and spec.submodule_search_locations is not None:
            spec.loader = _LateLoader(spec.loader)
        return spec


@contextmanager
def late(root: str) -> Iterator[None]:
    """Import the package `root`, and all packages in it, late while inside; plainly where `importlib` has no such lock."""
    if problem(_bootstrap):
        yield
        return
    finder = _LateFinder(root)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
