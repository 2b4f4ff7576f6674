"""What the tests of a response share."""

import json
import logging
from typing import Any

import pytest

from shared.receipt import LOGGER_NAME


@pytest.fixture
def outcomes(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, LOGGER_NAME)
    return lambda: [json.loads(record.message)["ended"] for record in caplog.records if record.name == LOGGER_NAME]
