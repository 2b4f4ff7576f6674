"""Storage for the tests: skipped only where there is no Node.js to run its emulator."""

from collections.abc import Iterator

import pytest

from tests.node.toolchain import MISSING, Node, find_node
from tests.state.azurite import Azurite, Certificate, azurite


@pytest.fixture(scope="session")
def node() -> Node:
    found = find_node()
    if found is None:
        pytest.skip(MISSING)
    return found


@pytest.fixture(scope="session")
def emulator(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(node, tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate.make(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def keyless_emulator(
    node: Node, certificate: Certificate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Azurite]:
    """With TLS, for Entra tokens."""
    with azurite(node, tmp_path_factory.mktemp("azurite"), tls=certificate) as running:
        yield running
