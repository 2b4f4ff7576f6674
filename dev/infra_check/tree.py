"""The input of the checks: both trees of infra/ and what Bicep evaluates to, read once."""

import re
from dataclasses import dataclass
from pathlib import Path

from dev.infra_check.bicep import BicepFile, Declaration, read_bicep
from dev.infra_check.evaluated import Resource, read_evaluated
from dev.infra_check.terraform import Block, TerraformFile, blocks_of, read_terraform


class Skipped(Exception):
    """A check cannot run here; the text gives the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project's directory and the contents of its infra/."""

    root: Path
    bicep: tuple[BicepFile, ...]
    terraform: tuple[TerraformFile, ...]
    evaluated: tuple[Resource, ...]

    @classmethod
    def read(cls, root: Path) -> "Project":
        """Read every file. Raise `Malformed` for one that cannot be parsed."""
        return cls(
            root=root,
            bicep=read_bicep(root / "infra"),
            terraform=read_terraform(root / "infra"),
            evaluated=read_evaluated(root),
        )

    def main(self, kind: str) -> list[Declaration]:
        """Return the declarations of one kind in main.bicep."""
        return [found for file in self.bicep if file.path == "main.bicep" for found in file.of(kind)]

    def bicep_resources(self) -> dict[str, Declaration]:
        """Return the resources that Bicep creates, by `<Bicep type>.<name in snake case>`."""
        made = [found for file in self.bicep for found in file.of("resource") if not found.is_existing]
        return {f"{found.resource_type}.{snake(found.name)}": found for found in made}

    def terraform_resources(self) -> dict[str, Block]:
        """Return the resources that Terraform creates, by address."""
        return {block.address: block for block in blocks_of(self.terraform, "resource")}

    def bicep_resource(self, name: str) -> Declaration | None:
        """Return the Bicep resource with this symbolic name."""
        return next((found for found in self.bicep_resources().values() if found.name == name), None)


def snake(name: str) -> str:
    """Convert aCamelCaseName to a_camel_case_name."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
