"""The app on the real worker before a simulated Azure OpenAI, for as long as a measurement lasts."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.service import ROOT
from dev.simulator.control import Simulator

READY = "Listening on "


@asynccontextmanager
async def serving(simulator: Simulator, **settings: str) -> AsyncIterator[str]:
    """Run the app on the real worker; give its address."""
    own = {"AUTH_MODE": "anonymous", "AZURE_OPENAI_ENDPOINT": next(iter(simulator.backends.values()))}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dev.host", "--port", "0", "--quiet",
        cwd=ROOT, env=os.environ | simulator.identity_environment | own | settings,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            if line.decode().startswith(READY):
                yield line.decode().removeprefix(READY).strip()
                break
        else:
            raise RuntimeError("the app did not start")
    finally:
        process.terminate()
        await process.wait()
