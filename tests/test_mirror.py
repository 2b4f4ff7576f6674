"""Every module of the product has tests in-process, in a file that is named after it or in the one named here."""

import ast
import re
from pathlib import Path

from tests.harness.cells import cells

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
PROVEN_IN = {
    "client/__main__": "client/test_terminal_streams",
    "client/failures": "client/test_stream",
    "client/formats": "client/test_stream",
    "shared/chat/dialects/annotations": "chat/test_dialects",
    "shared/chat/dialects/chat": "chat/test_dialects",
    "shared/chat/dialects/completions": "chat/test_dialects",
    "shared/chat/dialects/parts": "chat/test_parts",
    "shared/chat/dialects/responses": "chat/test_dialects",
    "shared/chat/encoders/buffered": "chat/encoders/test_encoders",
    "shared/chat/encoders/encoder": "chat/encoders/test_encoders",
    "shared/chat/encoders/event_json": "chat/encoders/test_encoders",
    "shared/chat/encoders/ndjson": "chat/encoders/test_encoders",
    "shared/chat/encoders/source_names": "chat/encoders/test_chat_protocol",
    "shared/chat/encoders/sse": "chat/encoders/test_encoders",
    "shared/chat/encoders/step_list": "chat/encoders/test_json",
    "shared/chat/encoders/text": "chat/encoders/test_encoders",
    "shared/chat/encoders/thought_process": "chat/encoders/test_chat_protocol",
    "shared/chat/request": "chat/test_shapes",
    "shared/chat/resuming": "chat/test_take_up",
    "shared/config/addresses": "config/test_settings",
    "shared/config/backends": "config/test_settings",
    "shared/config/caller_keys": "http/test_auth",
    "shared/config/chat_tools": "config/test_settings",
    "shared/config/declarations": "config/test_settings",
    "shared/config/redaction": "config/test_secrets",
    "shared/config/search": "config/test_settings",
    "shared/config/values": "config/test_settings",
    "shared/hosting/shapes": "hosting/test_patches",
    "shared/hosting/telemetry_target": "hosting/test_telemetry",
    "shared/demand": "limits/test_meters",
    "shared/http/admission": "limits/test_admission",
    "shared/limits/account": "limits/test_limiter",
    "shared/limits/clock": "limits/test_meters",
    "shared/limits/estimate": "limits/test_meters",
    "shared/limits/lease": "limits/test_meters",
    "shared/limits/memory_store": "limits/test_stores",
    "shared/limits/memory_usage": "limits/test_usage_stores",
    "shared/limits/store": "limits/test_stores",
    "shared/limits/tables": "limits/test_stores",
    "shared/limits/usage": "limits/test_usage_stores",
    "shared/limits/usage_store": "limits/test_usage_stores",
    "shared/limits/usage_tables": "limits/test_usage_stores",
    "shared/openai_api/object_exchange": "openai_api/test_objects",
    "shared/openai_api/object_ids": "openai_api/test_objects",
    "shared/openai_api/response_ids": "openai_api/test_stored_responses",
    "shared/page/files": "page/test_page_files",
    "shared/resume/grace": "chat/test_take_up",
    "shared/resume/body": "resume/test_relayed_streams",
    "shared/resume/link": "resume/test_relayed_streams",
    "shared/resume/whole": "resume/test_relayed_streams",
    "shared/resume/resumption": "resume/test_relayed_streams",
    "shared/retrieval/code_spans": "retrieval/test_markers",
    "shared/retrieval/plan": "retrieval/test_prompt",
    "shared/state/caller_ids": "openai_api/test_stored_responses",
    "shared/state/blob_keys": "state/test_key_stores",
    "shared/state/file_keys": "state/test_key_stores",
    "shared/state/storage_account": "state/test_key_stores",
    "shared/translation": "chat/test_translation",
    "shared/upstream/asked": "upstream/test_attempts",
    "shared/upstream/attempt_log": "upstream/test_failed_attempts",
    "shared/upstream/call": "upstream/test_client",
    "shared/upstream/connect_errors": "upstream/test_transport",
    "shared/upstream/connections": "upstream/test_transport",
    "shared/upstream/response_body": "upstream/test_transport",
    "shared/upstream/sign_in": "upstream/test_failed_attempts",
    "shared/upstream/stream": "upstream/test_attempts",
    "shared/upstream/wire/body": "openai_api/test_relay",
    "shared/usage/recorded": "usage/test_endpoint",
}
"""Where one file proves several modules, or a module's rules belong to a contract."""
MODULES = [
    path.relative_to(ROOT).with_suffix("").as_posix()
    for folder in ("shared", "client")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.name != "__init__.py"
]


def _named_after(module: str) -> str:
    folder, _, name = module.removeprefix("shared/").rpartition("/")
    return f"{folder}/test_{name}" if folder else f"test_{name}"


@cells("module", MODULES)
def test_every_module_has_a_test_in_process(module: str) -> None:
    proven_in = PROVEN_IN.get(module, _named_after(module))
    assert (TESTS / f"{proven_in}.py").exists(), f"there is no tests/{proven_in}.py"


def test_the_table_names_only_modules_that_have_no_file_of_their_own() -> None:
    assert [module for module in PROVEN_IN if module not in MODULES] == []
    assert [module for module in PROVEN_IN if (TESTS / f"{_named_after(module)}.py").exists()] == []


def test_no_test_module_imports_another() -> None:
    found: list[str] = []
    for path in TESTS.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"from\s+tests\.[\w.]*\btest_", text) is None:  # most have none, and need no parsing
            continue
        for node in ast.walk(ast.parse(text)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if module.startswith("tests.") and module.rpartition(".")[2].startswith("test_"):
                found.append(f"{path.relative_to(ROOT)}: {module}")
    assert found == []
