"""`make index`: a folder becomes an index, and a second run changes what has changed, against the simulated search."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azure.search.documents", reason="azure-search-documents is not installed")
from dev.index import index_definition, main, read_folder
from dev.simulator.control import Simulator

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = (
    b"<</Type/Catalog/Pages 2 0 R>>",
    b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
    b"<</Length 51>>stream\nBT /F1 12 Tf 10 100 Td (Refunds take a week) Tj ET\nendstream",
    b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
)


def pdf() -> bytes:
    """A PDF of one page, with the offsets of its objects."""
    data, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(OBJECTS, start=1):
        offsets.append(len(data))
        data += b"%d 0 obj%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    head = b"xref\n0 6\n0000000000 65535 f \n"
    return data + head + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "returns.md").write_text(
        "# Returns\n\nIntro.\n\n## Deadline\n\nSend it back within 30 days.\n"
    )
    (tmp_path / "refunds.pdf").write_bytes(pdf())
    (tmp_path / "notes.txt").write_text("not indexed")
    return tmp_path


def test_sections_and_pages_are_documents_with_keys_that_stay(folder: Path) -> None:
    documents = read_folder(folder, "https://docs.example.com/x/")
    assert [(one["title"], one["url"]) for one in documents] == [
        ("guide/returns.md", "https://docs.example.com/x/guide/returns.md"),
        ("guide/returns.md, Deadline", "https://docs.example.com/x/guide/returns.md#deadline"),
        ("refunds.pdf, page 1", "https://docs.example.com/x/refunds.pdf#page=1"),
    ]
    assert documents[2]["content"] == "Refunds take a week"
    assert [one["id"] for one in read_folder(folder, "")] == [one["id"] for one in documents]
    assert {one["url"] for one in read_folder(folder, "")} == {""}


def test_a_file_that_cannot_be_read_is_left_out_and_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert len(read_folder(folder, "")) == 3
    assert "broken.pdf cannot be read and is left out" in capsys.readouterr().err


def test_with_embeddings_the_service_can_embed_a_question_by_itself() -> None:
    plain = index_definition("docs")
    assert [field.name for field in plain.fields] == ["id", "content", "title", "url"]
    assert plain.semantic_search.configurations[0].name == "default"
    full = index_definition("docs", openai="https://a.openai.azure.com", embedding="embed", dimensions=8)
    assert full.fields[-1].vector_search_dimensions == 8
    assert full.vector_search.vectorizers[0].parameters.deployment_name == "embed"


@dataclass(frozen=True, slots=True)
class Index:
    """Runs the tool as `python -m dev.index` would, in this process, with this environment and no other variable of its own."""

    simulator: Simulator
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: Any, **env: str) -> tuple[int, str, str]:
        """Return the exit status, and what it has said on standard output and standard error."""
        with self.monkeypatch.context() as patch:
            for name in VARIABLES:
                patch.delenv(name, raising=False)
            for name, value in (environment(self.simulator) | env).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["dev.index", *map(str, arguments)])
            status = main()
        return status, *self.capsys.readouterr()


VARIABLES = ("SEARCH_INDEX", "BASE_URL", "AZURE_OPENAI_ENDPOINT", "EMBEDDING")


def environment(simulator: Simulator) -> dict[str, str]:
    return {"PATH": "", **simulator.identity_environment, "SEARCH_ENDPOINT": simulator.search}


@pytest.fixture
def index(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Index:
    return Index(simulator, monkeypatch, capsys)


def test_a_folder_becomes_an_index_and_a_second_run_removes_what_is_gone(folder: Path, index: Index) -> None:
    openai = {"AZURE_OPENAI_ENDPOINT": index.simulator.backends["main"], "EMBEDDING": "text-embedding-3-small"}
    status, output, errors = index(folder, "--index", "handbook", **openai)
    assert (status, errors) == (0, "")
    assert "The index handbook has 3 documents" in output
    assert index.simulator.requests(contains="Send it back within 30 days")
    (folder / "refunds.pdf").unlink()
    _, output, _ = index(folder, "--index", "handbook")
    assert "has 2 documents" in output
    assert "1 were removed" in output


def test_what_is_wrong_is_said(tmp_path: Path, index: Index) -> None:
    status, _, errors = index(tmp_path / "nowhere")
    assert (status, "is no folder" in errors) == (2, True)
    assert "nothing was changed" in index(tmp_path)[1]
    (tmp_path / "a.md").write_text("a")
    status, _, errors = index(tmp_path, SEARCH_ENDPOINT="http://search.example.com")
    assert (status, "SEARCH_ENDPOINT is not valid" in errors) == (2, True)


def test_the_command_ends_with_the_tools_status(tmp_path: Path, simulator: Simulator) -> None:
    command = [sys.executable, "-m", "dev.index", str(tmp_path / "nowhere")]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(simulator), capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, "is no folder" in done.stderr) == (2, True)
