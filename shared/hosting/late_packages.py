"""Packages whose own list of names is read only when somebody looks for one: what a cold start need not import.

`import openai` 3.52 builds eleven hundred classes for requests and answers, in 468 modules. This app passes bytes on and
needs none of them. A late package is there and so are its modules, but its `__init__` runs at the first look at a name
of its own, so that nobody can tell the difference but by the clock.
"""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_lock = threading.RLock()


class LatePackage(ModuleType):
    """A package whose `__init__` has not run yet. When it has, this is a plain module."""

    def __getattr__(self, name: str) -> Any:
        with _lock:
            loader = self.__dict__.pop("_late_loader", None)
            if loader is not None:
                loader.exec_module(self)
                self.__class__ = ModuleType  # type: ignore[assignment]  # allowed for modules
        if type(self) is LatePackage:  # it is being made, or its own `__init__` is running
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self, name)


class _LateLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return LatePackage(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["_late_loader"] = self._loader


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
    """What is imported inside finds the package `root`, and all packages in it, late."""
    finder = _LateFinder(root)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
