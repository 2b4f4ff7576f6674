"""Tables for the tests: skipped only where there is no Node.js to run Azure's emulator."""

from collections.abc import Iterator

import pytest

from tests.node.toolchain import MISSING, find_node
from tests.state.azurite import Account, Azurite, azurite


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    node = find_node()
    if node is None:
        pytest.skip(MISSING)
    with azurite(node, tmp_path_factory.mktemp("tables"), service="table") as running:
        yield running


@pytest.fixture
def table_account(tables: Azurite) -> Account:
    return tables.account()
