"""The signing key without a key: a managed identity's token at Azurite over TLS, as infra/ sets the app up."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from dev.simulator.control import Simulator
from tests.app_process import ROOT
from tests.state.azurite import Azurite, Certificate

pytestmark = pytest.mark.node
CLIENT_ID = "11111111-2222-3333-4444-555555555555"


def read_at_once(processes: int, environment: dict[str, str]) -> list[dict[str, Any]]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("AzureWebJobs")} | environment
    command = [sys.executable, "-m", "tests.state.read_keys"]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    read = []
    for process in started:
        output, errors = process.communicate(timeout=60)
        assert not errors
        read.append(json.loads(output))
    return read


def test_processes_that_start_at_once_share_one_key_with_tokens_of_the_apps_identity(
    keyless_emulator: Azurite, certificate: Certificate, simulator: Simulator
) -> None:
    settings = {
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": CLIENT_ID,
        "AzureWebJobsStorage__blobServiceUri": f"{keyless_emulator.account().service_uri}/",
        "SSL_CERT_FILE": str(certificate.certificate),
    }
    read = read_at_once(2, settings | simulator.identity_environment)
    assert read[0]["keys"][0][0] == 1
    assert [one["keys"] for one in read] == [read[0]["keys"]] * 2
    queries = {request["query"] for request in simulator.identity_requests()}
    assert all(f"client_id={CLIENT_ID}" in query for query in queries)
    assert all("storage.azure.com" in query for query in queries)
    for one in read:
        assert one["imported_before"] == []
        assert one["imported_in"] == ["other"]
