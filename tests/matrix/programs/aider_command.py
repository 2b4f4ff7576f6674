import re
from pathlib import Path

import commands

commands.settings(".aider.conf.yml", "$HOME/.aider.conf.yml")
COMMAND = ["aider", "--yes-always", "--no-git", "--no-pretty", "--no-show-model-warnings", "--no-check-update"]
NOTICES = (
    "Aider v",
    "Main model",
    "Weak model",
    "Model:",
    "Git repo",
    "Repo-map",
    "Tokens:",
    "Cost:",
    "Restored",
    "Warning",
)


conversations = []


def ask(prompt, *more):
    """Begin a conversation, with a history of its own."""
    conversations.append(f"history-{len(conversations)}.md")
    return go_on(prompt, *more)


def go_on(prompt, *more):
    Path("message.txt").write_text(prompt, encoding="utf-8")
    return [*COMMAND, "--message-file", "message.txt", "--chat-history-file", conversations[-1], *more], ""


def answer(output):
    if failed := re.search(r"^.*\b\w+Error: .*", output, re.MULTILINE):
        raise RuntimeError(failed[0])
    lines = [line for line in output.splitlines() if not line.startswith(NOTICES)]
    return next((line for line in reversed(lines) if line.strip()), "")


async def whole(prompt):
    arguments, given = ask(prompt, "--no-stream")
    _, output = await commands.finished(arguments, given)
    return {"text": answer(output)}


commands.run(
    ask,
    answer,
    lambda prompt: go_on(prompt, "--restore-chat-history"),
    whole=whole,
    tools="edits files by the text of the answer, without tools",
    structured="asks for no schema",
)
