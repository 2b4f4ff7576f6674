import os
from pathlib import Path

import commands

commands.settings("opencode.json", "opencode.json")
for what in ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS"):
    os.environ[f"OPENCODE_DISABLE_{what}"] = "true"  # it would wait for addresses that are not its model's
BINARY = str(Path(os.environ["MATRIX_MODULES"], "opencode-linux-x64/bin/opencode"))
COMMAND = [BINARY, "run", "--format", "json", "--auto", "--title", "matrix"]


def answer(output):
    found = commands.events(output)
    for event in found:
        if event["type"] == "error":
            raise RuntimeError(str(event["error"]))
    return "".join(event["part"]["text"] for event in found if event["type"] == "text")


commands.run(
    lambda prompt: (COMMAND, prompt),
    answer,
    lambda prompt: ([*COMMAND, "--continue"], prompt),
    whole="its command always streams",
    structured="its command takes no schema",
)
