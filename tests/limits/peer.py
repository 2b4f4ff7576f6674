"""`make bench-peers`, its last part: LiteLLM's proxy under the script of `make storm-limits`.

Its keys with limits are kept in PostgreSQL, which is not here. The limits are counted in memory, or in Redis for several
processes, and hold as well for what a custom authentication returns: https://docs.litellm.ai/docs/proxy/custom_auth
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.peers import LITELLM
from dev.free_port import free_port
from dev.simulator.control import Simulator
from tests.limits.storm import Size, blow, key_of

START_SECONDS = 300.0
"""Of several at once, each of which imports for half a minute."""
_AUTH = """
from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request, api_key):
    return UserAPIKeyAuth(api_key=api_key, tpm_limit={limit})
"""
_CONFIG = """
model_list:
  - model_name: gpt
    litellm_params: {{model: openai/gpt, api_base: "{url}/v1", api_key: none}}
litellm_settings: {{telemetry: false, num_retries: 0}}
general_settings: {{custom_auth: auth.user_api_key_auth, disable_spend_logs: true, master_key: {key}}}
"""


@contextmanager
def litellm(simulator: Simulator, size: Size, processes: int) -> Iterator[list[str]]:
    """Run so many instances of the proxy, each with one process. Yield their addresses."""
    environment = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # it would wait for the network
    with tempfile.TemporaryDirectory(prefix="litellm-") as folder, ExitStack() as stack:
        Path(folder, "auth.py").write_text(_AUTH.format(limit=size.limit), encoding="utf-8")
        config = Path(folder, "config.yaml")
        key = "sk-" + secrets.token_hex(32)
        config.write_text(_CONFIG.format(url=simulator.backends["main"], key=key), encoding="utf-8")
        running = []
        for _ in range(processes):
            port = free_port()
            command = [str(LITELLM), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
            process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait)
            stack.callback(process.terminate)
            running.append((f"http://127.0.0.1:{port}", process))
        for url, process in running:
            _wait_until_it_answers(url + "/health/liveliness", process)
        yield [url for url, _ in running]


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("LiteLLM did not start")


def main() -> int:
    """Start what is needed, play, and tell."""
    parser = argparse.ArgumentParser(prog="python -m tests.limits.peer", description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument(
        "--callers", type=int, default=1, help="of 200 streams: a process takes a second for ten of them"
    )
    parser.add_argument("--processes", type=int, nargs="*", default=[1, Size().processes])
    arguments = parser.parse_args()
    runs, size = arguments.runs, Size(callers=arguments.callers, seconds=45.0)
    with Simulator.start(open=True) as simulator:
        for processes in arguments.processes:
            with litellm(simulator, size, processes) as urls:
                for number in range(runs):

                    def asks(one: int, caller: str) -> tuple[str, str]:
                        return urls[one % len(urls)], key_of(caller)

                    run = blow(size, simulator, asks, number=number, account=None)
                    print(f"LiteLLM, instances: {processes}, run {number + 1}: {run.line(size)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
