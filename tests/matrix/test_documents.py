"""The matrix and docs/clients.md: every client has its set-up there, and its row."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.app_process import ROOT
from tests.harness.cells import cells
from tests.matrix.cells import CELLS
from tests.matrix.clients import CLIENTS, HERE, NODE, Client
from tests.matrix.documents import BEGIN, DOCUMENT, END, setups, with_table
from tests.matrix.results import GREEN, NONE, RED, Colour, Result, lost, merged, read, write

NAMES = [client.name for client in CLIENTS]
PLACE = f"before\n{BEGIN}\n{END}\nafter\n"


@cells("client", CLIENTS, ids=NAMES)
def test_a_client_has_its_program_and_its_set_up_in_the_document(client: Client) -> None:
    folder = NODE if client.environment == NODE else HERE / "programs"
    assert (folder / client.program).is_file()
    assert client.setup
    assert set(client.setup) <= setups().keys()


def test_every_program_is_some_clients() -> None:
    shapes = {"cells.py", "commands.py", "cells.mjs"}
    found = {
        path.name
        for folder in (HERE / "programs", NODE)
        for path in folder.glob("*.*")
        if path.suffix in (".py", ".mjs")
    }
    assert found - shapes == {client.program for client in CLIENTS}


def test_the_documents_table_is_what_was_found_last_of_every_client() -> None:
    text, results = DOCUMENT.read_text("utf-8"), read()
    assert with_table(text, results) == text, "run `make test-clients`"
    assert list(dict.fromkeys(result.client for result in results)) == NAMES
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\d", result.date) for result in results)
    assert [result for result in results if result.is_the_apps] == []


def found(**colours: Colour) -> list[Result]:
    """All cells of the first client, green where nothing else is said."""
    asked = [Result(NAMES[0], "1.2.3", "2026-01-02", cell.name, colours.get(cell.name, GREEN)) for cell in CELLS]
    causes = {RED: "did not raise", NONE: "always streams", GREEN: ""}
    return [replace(one, cause=causes[one.colour], direct="did not raise either") for one in asked]


def test_a_red_cell_and_one_that_a_client_does_not_have_say_why_below_the_table() -> None:
    text = with_table(PLACE, found(limit="red", whole="none"))
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    row = next(line for line in text.splitlines() if line.startswith(f"| {NAMES[0]} |"))
    assert row.count("✓") == len(CELLS) - 2
    assert ("– 1" in row, "✗ 2" in row) == (True, True)
    assert "\n1. always streams\n" in text
    assert "Here it did not raise; there it did not raise either" in text


def test_a_table_is_written_over_the_one_before() -> None:
    once = with_table(PLACE, found(limit="red"))
    assert with_table(once, found(limit="red")) == once


def test_a_document_without_a_place_for_the_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_table("before and after", found())


def test_results_are_kept_and_read_back(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    assert read(file) == []
    write(found(limit="red"), file)
    assert read(file) == found(limit="red")


def test_a_client_that_is_asked_again_takes_the_place_of_what_was_kept_of_it() -> None:
    other = [replace(one, client=NAMES[1]) for one in found()]
    assert merged(other + found(), found(limit="red"), NAMES) == found(limit="red") + other


def test_what_was_green_and_is_red_is_lost() -> None:
    assert [one.cell for one in lost(found(), found(limit="red"))] == ["limit"]
    assert lost(found(limit="red"), found(limit="red")) == lost(found(), found()) == lost([], found(limit="red")) == []


def test_a_cell_is_the_apps_where_the_same_client_is_right_at_the_upstream() -> None:
    red = next(one for one in found(limit="red") if one.colour == RED)
    assert not red.is_the_apps
    assert replace(red, direct="").is_the_apps
    assert "at this app alone" in replace(red, direct="").note


def test_the_node_clients_are_pinned() -> None:
    for folder in (client.environment for client in CLIENTS if client.is_node):
        assert isinstance(folder, Path)
        text = (folder / "package.json").read_text("utf-8")
        assert not re.search(r'": "[\^~*]', text), folder.relative_to(ROOT)
