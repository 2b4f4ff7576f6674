import os
import subprocess
from pathlib import Path

import commands

CODE = Path(os.environ["SETUP"], "cline.sh").read_text(encoding="utf-8")
subprocess.run(["bash", "-ec", CODE], check=True)
COMMAND = ["cline", "--json"]


def answer(output):
    found = commands.events(output)
    failed = [event for event in found if event["type"] == "error" or event.get("finishReason") == "error"]
    if failed:  # all of them: its own hooks may fail too, and before the model's error is told
        raise RuntimeError(" ".join(map(str, failed)))
    results = [event["text"] for event in found if event["type"] == "run_result"]
    return results[-1] if results else ""


commands.run(
    lambda prompt: ([*COMMAND, prompt], ""),
    answer,
    whole="its command always streams",
    turns="its command goes on with a session in its terminal only",
    structured="its command takes no schema",
)
