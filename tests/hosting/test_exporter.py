"""The exporter to Application Insights, in this process, to an ingestion server of this test's own.

From the real worker, with the app's identity, they are followed in `tests/worker/test_telemetry.py`.
"""

import asyncio
import gc
import json
import logging
import os
from collections.abc import Iterator

import pytest

from shared.hosting import telemetry as telemetry_module
from shared.hosting.telemetry import Telemetry
from shared.hosting.telemetry_target import TelemetryTarget
from shared.receipt import AttemptRecord, Receipt
from tests.hosting.ingestion import Ingestion

OTHERS = ("azure.monitor.opentelemetry", "opentelemetry", "azure.identity", "shared")
"""Loggers that a telemetry changes."""


@pytest.fixture
def ingestion() -> Iterator[Ingestion]:
    started = Ingestion()
    yield started
    started.stop()


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    """Loggers, environment and garbage collector are afterwards what they were."""
    loggers = [logging.getLogger(name) for name in OTHERS]
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in loggers]
    environment = dict(os.environ)
    logging.getLogger("shared").setLevel(logging.INFO)  # as the worker does
    yield
    for logger, (level, propagate, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.propagate = propagate
        logger.handlers[:] = handlers
    os.environ.clear()
    os.environ.update(environment)
    gc.unfreeze()


def log_a_receipt() -> None:
    receipt = Receipt(id="req_1", invocation_id="i", api="chat", model="gpt", ended="finished")
    receipt.attempts.append(AttemptRecord("main", "content", 0.5))
    receipt.log()


def log_an_exception() -> None:
    try:
        raise ValueError("what was wrong")
    except ValueError:
        logging.getLogger("shared.http.response").exception("Unexpected")


def test_receipts_and_warnings_are_sent_with_their_fields_and_nothing_else(ingestion: Ingestion) -> None:
    async def case() -> None:
        telemetry = Telemetry(ingestion.target)
        log_a_receipt()
        log_an_exception()
        logging.getLogger("shared.upstream").info("chatter")
        await telemetry.stop()

    asyncio.run(case())
    messages = {item.get("message", item.get("exceptions", [{}])[0].get("message")): item for item in ingestion.items}
    assert len(ingestion.items) == 2
    receipt = next(item["properties"] for message, item in messages.items() if '"event":"answer"' in str(message))
    assert (receipt["id"], receipt["model"], receipt["ended"], receipt["tokens"]) == (
        "req_1",
        "gpt",
        "finished",
        "unknown",
    )
    assert json.loads(receipt["attempts"]) == [{"backend": "main", "outcome": "content", "seconds": 0.5}]
    assert "chatter" not in str(ingestion.items)
    assert "ValueError" in str(ingestion.items)


def test_a_record_after_the_start_goes_on_at_once(ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch) -> None:
    async def case() -> None:
        telemetry = Telemetry(ingestion.target)
        await telemetry.start()
        log_a_receipt()
        await telemetry.stop()

    monkeypatch.setattr(telemetry_module, "START_SECONDS", 0.0)
    asyncio.run(case())
    assert [item["properties"]["id"] for item in ingestion.items] == ["req_1"]


def test_without_a_connection_string_nothing_is_listened_to_and_nothing_waits() -> None:
    async def case() -> None:
        before = list(logging.getLogger("shared").handlers)
        telemetry = Telemetry(TelemetryTarget())
        assert logging.getLogger("shared").handlers == before
        await telemetry.start()
        await telemetry.stop()

    asyncio.run(case())


def test_a_connection_string_that_is_none_is_a_warning_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        telemetry = Telemetry(TelemetryTarget(connection_string="nonsense"))
        log_a_receipt()
        await telemetry.stop()
        log_a_receipt()

    asyncio.run(case())
    told = [record for record in caplog.records if record.name.startswith("shared.hosting.")]
    assert [record.levelname for record in told] == ["WARNING"]
    assert "Application Insights" in told[0].getMessage()


def test_records_that_are_not_taken_are_told_once(ingestion: Ingestion, caplog: pytest.LogCaptureFixture) -> None:
    async def case() -> None:
        telemetry = Telemetry(ingestion.target)
        log_a_receipt()
        await telemetry.stop()

    ingestion.status = 400
    asyncio.run(case())
    told = [record for record in caplog.records if record.name.startswith("shared.hosting.")]
    assert [record.levelname for record in told] == ["WARNING"]
    assert ingestion.items == []


def test_the_target_is_what_the_platforms_settings_say() -> None:
    env = {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": " InstrumentationKey=k ",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=c;Authorization=AAD",
        "WEBSITE_SITE_NAME": "my-app",
        "WEBSITE_INSTANCE_ID": "1",
    }
    assert TelemetryTarget.from_env(env) == TelemetryTarget(
        connection_string="InstrumentationKey=k", with_identity=True, client_id="c", role="my-app", instance="1"
    )
