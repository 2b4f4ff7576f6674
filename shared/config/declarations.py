"""Declare a setting once: its name, kind and meaning, next to the field of a frozen dataclass that holds its value.

Everything that lists settings is derived from the declarations: `SETTING_NAMES`, docs/reference.md, the checks of
local.settings.json.example, Bicep and Terraform.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import Misconfigured
from shared.surrogates import has_lone_surrogate

_METADATA_KEY = "setting"


@dataclass(frozen=True, slots=True)
class Kind[T]:
    """How the text of a setting becomes its value.

    `default` is the text that counts where the setting is not set. `allowed` follows the word "expected" in a message.
    `parse` is given the setting's name and its text, without surrounding blanks, and raises `Misconfigured`.
    """

    default: str
    allowed: str
    parse: Callable[[str, str], T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One setting. `meaning` is a sentence for docs/reference.md.

    `instead_in_azure`: '', or what an app in Azure uses instead, where the setting is for development only.
    """

    name: str
    kind: Kind[Any]
    meaning: str
    instead_in_azure: str

    def read(self, env: Mapping[str, str]) -> Any:
        """Return the setting's value. An empty or blank text counts as not set. Raise `Misconfigured`."""
        text = env.get(self.name, "").strip()
        if has_lone_surrogate(text):
            raise Misconfigured(f"{self.name} is not valid UTF-8; expected text.")
        return self.kind.parse(self.name, text or self.kind.default)

    def default(self) -> Any:
        """Return the value of a setting that is not set."""
        return self.kind.parse(self.name, self.kind.default)


class Problems:
    """What is invalid, collected, so that an operator reads all of it at once and restarts once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._found: list[Misconfigured] = []

    def collect[T](self, read: Callable[[], T], *, default: Callable[[], T]) -> T:
        """Return what `read` returns; `default()`, and keep the problem, where that raises `Misconfigured`."""
        try:
            return read()
        except Misconfigured as problem:
            self._found.append(problem)
            return default()

    def is_about(self, name: str) -> bool:
        """Return whether the setting of this name is among what is invalid."""
        return any(re.match(rf"{name}\b", problem.message) for problem in self._found)

    def raise_all(self) -> None:
        """Raise one `Misconfigured` with every sentence, if there is one."""
        if self._found:
            raise Misconfigured(
                " ".join(problem.message for problem in self._found),
                operator_message=" ".join(problem.operator_message for problem in self._found),
            )


def setting[T](name: str, kind: Kind[T], *, meaning: str, instead_in_azure: str = "") -> T:
    """Return the dataclass field that holds the setting's value."""
    declaration = Declaration(name=name, kind=kind, meaning=meaning, instead_in_azure=instead_in_azure)
    value: T = dataclasses.field(metadata={_METADATA_KEY: declaration})
    return value


def declarations_of(owner: type[Any]) -> dict[str, Declaration]:
    """Return the settings that a dataclass declares, in order, by the name of the field."""
    fields = dataclasses.fields(owner)
    return {one.name: one.metadata[_METADATA_KEY] for one in fields if _METADATA_KEY in one.metadata}
