"""The deployments that are fuzzed, and the secrets that are planted in them. A secret is looked for in all that comes out."""

import hashlib
import json

CALLER_KEY = "sk-PLANTED-CALLER-KEY-0123456789"
TOKEN = "PLANTED-TOKEN-eyJ0eXAiOiJKV1Qi"
IDENTITY_HEADER = "PLANTED-IDENTITY-HEADER-77"
SYSTEM_PROMPT = "PLANTED-SYSTEM-PROMPT: answer in verse."
PROMPT = "PLANTED-PROMPT"
ANSWER = "PLANTED-ANSWER"
EXPLANATION = "PLANTED-EXPLANATION"
"""In an upstream's error: the caller may read it, the log may not."""
EXCEPTION = "PLANTED-EXCEPTION"
INNER_HEADER = "PLANTED-INNER-HEADER"
"""In an upstream's header that is not passed on."""
MISPLACED = "Sk9-PLANTED-SETTING-fQ2xT7vLw4Z"
"""In a setting that is no place for it."""
HOST = "https://planted-account.openai.azure.com"
ORIGIN = "https://app.example.com"

NOT_DOWN = (MISPLACED, CALLER_KEY, TOKEN, IDENTITY_HEADER, SYSTEM_PROMPT, EXCEPTION, INNER_HEADER, "planted-account")
"""Never in a response."""
NOT_IN_LOG = (MISPLACED, CALLER_KEY, TOKEN, IDENTITY_HEADER, SYSTEM_PROMPT, PROMPT, ANSWER, EXPLANATION, INNER_HEADER)
"""Never in a log record."""

_DIGEST = hashlib.sha256(CALLER_KEY.encode()).hexdigest()
_ONE = {"AZURE_OPENAI_ENDPOINT": HOST, "AUTH_MODE": "anonymous", "AZURE_OPENAI_DEPLOYMENT": "gpt"}
_TWO = {
    "AZURE_OPENAI_BACKENDS": json.dumps(
        [
            {"name": "east", "endpoint": "https://planted-account-1.openai.azure.com", "priority": 1},
            {"name": "west", "endpoint": "https://planted-account-2.openai.azure.com", "priority": 2},
        ]
    ),
    "AUTH_MODE": "anonymous",
    "AZURE_OPENAI_DEPLOYMENT": "gpt",
}
SETUPS: dict[str, dict[str, str]] = {
    "anonymous": _ONE,
    "responses": _ONE | {"AZURE_OPENAI_API": "responses"},
    "completions": _ONE | {"AZURE_OPENAI_API": "completions"},
    "keys": _ONE | {"AUTH_MODE": "keys", "CALLER_KEYS": f"team=sha256:{_DIGEST}", "ALLOWED_ORIGINS": ORIGIN},
    "capped": _ONE
    | {
        "AZURE_OPENAI_MODELS": "m=gpt,gpt-5=gpt",
        "MAX_OUTPUT_TOKENS": "500",
        "MAX_REQUEST_BYTES": "65536",
        "MAX_EVENT_BYTES": "65536",
        "SYSTEM_PROMPT": SYSTEM_PROMPT,
        "DEBUG_HEADERS": "true",
    },
    "whole": _ONE | {"STREAMING_ENABLED": "false"},
    "two": _TWO | {"ALLOWED_ORIGINS": ORIGIN, "DEBUG_HEADERS": "true"},
    "impatient": _TWO
    | {
        "COMMIT_SECONDS": "0.2",
        "HEARTBEAT_SECONDS": "0.3",
        "FIRST_CONTENT_SECONDS": "2",
        "UPSTREAM_SILENCE_SECONDS": "1",
        "ATTEMPT_BUDGET_SECONDS": "3",
        "AZURE_OPENAI_API": "responses",
    },
}  # fmt: skip
