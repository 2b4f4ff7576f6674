"""The project as the checks see it: both trees of infra/, read once."""

import re
from dataclasses import dataclass
from pathlib import Path

from dev.infra_check.bicep import BicepFile, Declaration, read_bicep
from dev.infra_check.terraform import Block, TerraformFile, blocks_of, read_terraform


class Skipped(Exception):
    """A check cannot be made here; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """The project's directory, and what is in its infra/."""

    root: Path
    bicep: tuple[BicepFile, ...]
    terraform: tuple[TerraformFile, ...]

    @classmethod
    def read(cls, root: Path) -> "Project":
        """Reads every file. Raises `Malformed` for one that cannot be read."""
        return cls(root=root, bicep=read_bicep(root / "infra"), terraform=read_terraform(root / "infra"))

    def main(self, kind: str) -> list[Declaration]:
        """Declarations of main.bicep."""
        return [found for file in self.bicep if file.path == "main.bicep" for found in file.of(kind)]

    def bicep_resources(self) -> dict[str, Declaration]:
        """Every resource that Bicep makes, by its twin's name in Terraform without the type: snake case."""
        made = [found for file in self.bicep for found in file.of("resource") if not found.is_existing]
        return {f"{found.resource_type}.{snake(found.name)}": found for found in made}

    def terraform_resources(self) -> dict[str, Block]:
        """Every resource that Terraform makes, by its address."""
        return {block.address: block for block in blocks_of(self.terraform, "resource")}

    def bicep_resource(self, name: str) -> Declaration | None:
        """The one that Bicep calls so."""
        return next((found for found in self.bicep_resources().values() if found.name == name), None)


def snake(name: str) -> str:
    """aCamelCaseName as a_camel_case_name."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
