"""One client at one side: its program is run, and what it saw is judged."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dev.simulator.control import Simulator
from tests.matrix.cells import CELLS, Cell, new_word
from tests.matrix.clients import ENVIRONMENTS, HERE, Client, Json
from tests.matrix.documents import write_setups
from tests.matrix.results import GREEN, NONE, RED, Result
from tests.node.toolchain import Node

SECONDS_PER_CLIENT = 900.0
"""An agent starts for every question, and takes seconds of a core to start."""
NOT_REPORTED = "its program said nothing of this"
KEPT_NAMES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "MATRIX_TRACE")


@dataclass(frozen=True, slots=True)
class Side:
    """Where a client is sent: to the app, or to the upstream itself."""

    endpoint: str
    key: str


@dataclass(frozen=True, slots=True)
class Course:
    """What the programs need: the upstream that judges ask, and a Node."""

    upstream: Simulator
    node: Node
    verbose: bool = False

    def run(self, client: Client, app: Side, direct: Side | None) -> list[Result]:
        """Every cell at the app; the red ones at the upstream itself too, to see whose they are."""
        found = self._ask(client, app, CELLS)
        again = [cell for cell in CELLS if found[cell.name].colour == RED]
        if again and direct is None:
            found |= {cell.name: replace(found[cell.name], direct="") for cell in again}
        elif again and direct is not None:
            at_upstream = self._ask(client, direct, tuple(again))
            for cell in again:
                one, other = found[cell.name], at_upstream[cell.name]
                # A program that does not get that far proves nothing of its client.
                said = other.cause if other.colour == RED and not one.cause.startswith(NOT_REPORTED) else ""
                found[cell.name] = replace(one, direct=said)
        return list(found.values())

    def _ask(self, client: Client, side: Side, cells: tuple[Cell, ...]) -> dict[str, Result]:
        words = {cell.name: new_word() for cell in cells}
        asked = {cell.name: cell.ask(client, words[cell.name]) for cell in cells}
        with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
            seen, output = self._programs_results(client, side, asked, Path(folder))
        results = {}
        for cell in cells:
            results[cell.name] = self._judge(client, cell, seen.get(cell.name), words[cell.name], output)
        return results

    def _programs_results(self, client: Client, side: Side, asked: Json, folder: Path) -> tuple[dict[str, Json], str]:
        setup, work = folder / "setup", folder / "work"
        setup.mkdir()
        work.mkdir()
        write_setups(setup, client.environment / "node_modules" if isinstance(client.environment, Path) else None)
        results = folder / "results"
        environment = {name: os.environ[name] for name in KEPT_NAMES if name in os.environ}
        environment |= {
            "ENDPOINT": side.endpoint,
            "API_KEY": side.key,
            "MODEL": client.model,
            "HOME": str(folder),
            "PYTHONPATH": os.pathsep.join([str(setup), str(HERE / "programs")]),
            "PYTHONUTF8": "1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "true",  # prices from an address that is not the model's
            "SETUP": str(setup),
            "MATRIX_CELLS": json.dumps(asked),
            "MATRIX_RESULTS": str(results),
            "MATRIX_CONTROL": self.upstream.control,
        }
        bins = [Path(self.node.node).parent]
        bins += [] if client.is_node else [ENVIRONMENTS / str(client.environment) / "bin"]
        if isinstance(client.environment, Path):
            environment["MATRIX_MODULES"] = str(client.environment / "node_modules")
            bins.append(client.environment / "node_modules/.bin")
        environment["PATH"] = os.pathsep.join([*map(str, bins), environment["PATH"]])
        with (folder / "output").open("w+", encoding="utf-8", errors="replace") as output:
            process = subprocess.Popen(
                client.command(self.node, sys.executable),
                cwd=work,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                process.wait(SECONDS_PER_CLIENT)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                process.wait()
            output.seek(0)
            said = output.read()
        if self.verbose:
            print(
                f"--- {client.name} at {side.endpoint}\n{said[-6000:]}\n{results.read_text() if results.exists() else ''}"
            )
        lines = results.read_text("utf-8").splitlines() if results.exists() else []
        return {one["cell"]: one for one in map(json.loads, lines)}, said

    def _judge(self, client: Client, cell: Cell, found: Json | None, word: str, output: str) -> Result:
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        result = Result(client.name, client.version, day, cell.name, GREEN)
        if found is None:
            last = next((line for line in reversed(output.splitlines()) if line.strip()), "nothing")
            return replace(result, colour=RED, cause=f"{NOT_REPORTED}, and ended with: {last[:300]}")
        if "none" in found:
            return replace(result, colour=NONE, cause=found["none"])
        records = self.upstream.requests(contains=word)
        if cell.name == "cancel" and records and records[-1]["ended_at"] and "left_at" in found:
            seconds = max(0.0, round(records[-1]["ended_at"] - found["left_at"], 3))
            result = replace(result, seconds=seconds)
        cause = cell.judge(found, records)
        return result if cause is None else replace(result, colour=RED, cause=cause)
