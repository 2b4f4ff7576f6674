"""What other libraries log and this app must not show: prompts, keys and tokens, whatever the levels are.

Core Tools sets PYTHON_ENABLE_DEBUG_LOGGING=1, on which the worker sets the root logger to DEBUG: openai then logs each request
with its body, msal and azure.core log addresses and headers. uvicorn's access log shows the query, `?code=KEY` included.
"""

import logging

QUIET = (
    "aiohttp",
    "asyncio",
    "azure.core",
    "azure.monitor",
    "httpcore2",
    "httpx2",
    "msal",
    "openai",
    # By their own names too: OPENAI_LOG sets the level of `openai` when it is imported.
    "openai._base_client",
    "openai._legacy_response",
    "openai._response",
    "opentelemetry",
    "requests",
    "urllib3",
)
"""From WARNING on. Not `azure` as a whole: `azure.functions` is the worker's own."""

SILENT = ("azure.identity",)
"""Not even warnings: they quote the identity endpoint's reply, token included. `upstream.identity` logs each failure."""

EXPECTED = (
    # For each response that is cut on purpose after its error event: the receipt has the failure.
    "ASGI callable returned without completing response.",
    # For each request that opens a WebSocket: it gets a 426, and anybody can send one.
    "Unsupported upgrade request.",
    "No supported WebSocket library detected.",
)
"""How messages of uvicorn begin that report nothing which anybody has to know."""


def quiet_libraries() -> None:
    """Set the levels and add the filters. A filter, unlike a handler, survives the `dictConfig` of the extension's server."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    logging.getLogger("uvicorn.access").addFilter(_drop)
    logging.getLogger("uvicorn.error").addFilter(_is_unexpected)


def _drop(_record: logging.LogRecord) -> bool:
    return False


def _is_unexpected(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith(EXPECTED)
