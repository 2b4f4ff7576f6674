import json
import tempfile

import commands
from cells import FORECAST

commands.settings("config.toml", "$HOME/.codex/config.toml")
COMMAND = ["codex", "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"]


def answer(output):
    found = commands.events(output)
    for event in found:
        if event["type"] == "turn.failed":
            raise RuntimeError(event["error"]["message"])
    said = [event["item"]["text"] for event in found if event.get("item", {}).get("type") == "agent_message"]
    return said[-1] if said else ""


async def structured(prompt):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as schema:
        json.dump(FORECAST, schema)
        schema.flush()
        _, output = await commands.finished([*COMMAND, "--output-schema", schema.name, "-"], prompt)
        return {"value": json.loads(answer(output))}


commands.run(
    lambda prompt: ([*COMMAND, "-"], prompt),
    answer,
    lambda prompt: ([*COMMAND[:2], "resume", "--last", *COMMAND[2:], "-"], prompt),
    whole="its command always streams",
    structured=structured,
)
