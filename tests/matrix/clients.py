"""The clients: where each is installed, which program runs it, and which parts of docs/clients.md set it up."""

import json
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from tests.app_process import ROOT
from tests.node.toolchain import Node

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = ROOT / ".venv-clients"
LIBRARIES, FRAMEWORKS, AIDER = "libraries", "frameworks", "aider"
NODE, AGENTS = HERE / "node", HERE / "agents"

type Json = dict[str, Any]

TOOL_CALLS: list[Json] = [
    {"name": "weather", "arguments": {"city": "Bern"}},
    {"name": "clock", "arguments": {"city": "Tokyo"}},
]
TOOL_RESULTS = ("sunny in Bern", "noon in Tokyo")
"""What the programs' tools give: the proof that both were run, and that both results went up."""
ECHOES = ("printf 'sunny in %s' Bern", "printf 'noon in %s' Tokyo")
"""The same for agents that bring a shell of their own."""


@dataclass(frozen=True, slots=True)
class Client:
    name: str
    package: str
    """Its version is the one in the table."""
    api: str
    program: str
    """A file in `programs` (run by the Python of its environment) or in `node`."""
    environment: str | Path
    """A name in `.venv-clients`, or a folder with a `package.json`."""
    setup: tuple[str, ...]
    """The files of docs/clients.md that the program uses."""
    model: str = "gpt-4.1-mini"
    direct: str | None = "/openai"
    """What comes before the API's own path when the same client asks the upstream itself; None where that has no such API."""
    tool_calls: list[Json] = field(default_factory=partial(list, TOOL_CALLS))

    @property
    def is_node(self) -> bool:
        return isinstance(self.environment, Path)

    @property
    def is_agent(self) -> bool:
        """Whether it is a program of its own, of which this project's Python reads the output."""
        return self.environment == AGENTS

    @property
    def version(self) -> str:
        """The version that is installed. Raises `LookupError` where none is."""
        if isinstance(self.environment, Path):
            file = self.environment / "node_modules" / self.package / "package.json"
            if not file.exists():
                raise LookupError(f"{self.package} is not installed in {self.environment}")
            return str(json.loads(file.read_text("utf-8"))["version"])
        site = [str(path) for path in (ENVIRONMENTS / self.environment).glob("lib/python*/site-packages")]
        for one in distributions(name=self.package, path=site):
            return one.version
        raise LookupError(f"{self.package} is not installed in {ENVIRONMENTS / self.environment}")

    def command(self, node: Node, python: str) -> list[str]:
        """What runs its program."""
        if self.is_agent:
            return [python, str(HERE / "programs" / self.program)]
        if isinstance(self.environment, Path):
            return [node.node, str(self.environment / self.program), *self.setup]
        return [str(ENVIRONMENTS / self.environment / "bin/python"), str(HERE / "programs" / self.program)]


def shell_calls(tool: str, argument: str) -> list[Json]:
    """Two calls of an agent's own shell, with the results that are expected of the programs' tools."""
    return [{"name": tool, "arguments": {argument: one}} for one in ECHOES]


CLIENTS: tuple[Client, ...] = (
    Client(
        "Codex",
        "@openai/codex",
        "responses",
        "codex.py",
        AGENTS,
        ("config.toml",),
        model="gpt-5.4-mini",
        tool_calls=shell_calls("exec_command", "cmd"),
    ),
    Client(
        "opencode",
        "opencode-linux-x64",
        "chat completions",
        "opencode.py",
        AGENTS,
        ("opencode.json",),
        tool_calls=[{"name": "bash", "arguments": {"command": one, "description": "looks it up"}} for one in ECHOES],
    ),
    Client(
        "Cline",
        "@cline/cli-linux-x64",
        "chat completions",
        "cline.py",
        AGENTS,
        ("cline.sh",),
        tool_calls=[{"name": "run_commands", "arguments": {"commands": [one]}} for one in ECHOES],
    ),
    Client(
        "Continue",
        "@continuedev/cli",
        "chat completions",
        "continue_cli.py",
        AGENTS,
        ("config.yaml",),
        tool_calls=shell_calls("Bash", "command"),
    ),
    Client("aider", "aider-chat", "chat completions", "aider_command.py", AIDER, (".aider.conf.yml",)),
    Client("openai-agents", "openai-agents", "responses", "openai_agents.py", LIBRARIES, ("setup_openai_agents.py",)),
    Client(
        "pydantic-ai",
        "pydantic-ai-slim",
        "chat completions",
        "pydantic_ai_client.py",
        LIBRARIES,
        ("setup_pydantic_ai.py",),
    ),
    Client(
        "LlamaIndex",
        "llama-index-llms-openai-like",
        "chat completions",
        "llama_index_client.py",
        FRAMEWORKS,
        ("setup_llama_index.py",),
    ),
    Client(
        "instructor", "instructor", "chat completions", "instructor_client.py", FRAMEWORKS, ("setup_instructor.py",)
    ),
    Client(
        "Semantic Kernel",
        "semantic-kernel",
        "chat completions",
        "semantic_kernel_client.py",
        FRAMEWORKS,
        ("setup_semantic_kernel.py",),
    ),
    Client("LangGraph", "langgraph", "chat completions", "langgraph_client.py", LIBRARIES, ("setup_langgraph.py",)),
    Client(
        "agent-framework",
        "agent-framework-openai",
        "responses",
        "agent_framework_client.py",
        LIBRARIES,
        ("setup_agent_framework.py",),
    ),
    Client("LiteLLM", "litellm", "chat completions", "litellm_client.py", LIBRARIES, ("setup_litellm.py",)),
    Client(
        "azure-ai-inference",
        "azure-ai-inference",
        "chat completions",
        "azure_ai_inference.py",
        LIBRARIES,
        ("setup_azure_ai_inference.py",),
    ),
    Client("llm", "llm", "responses", "llm_command.py", LIBRARIES, ("extra-openai-models.yaml",)),
    Client("@openai/agents", "@openai/agents", "responses", "openai-agents.mjs", NODE, ("setup-openai-agents.mjs",)),
    Client("@ai-sdk/openai", "@ai-sdk/openai", "responses", "ai-sdk.mjs", NODE, ("setup-ai-sdk-openai.mjs",)),
    Client("@ai-sdk/azure", "@ai-sdk/azure", "responses", "ai-sdk.mjs", NODE, ("setup-ai-sdk-azure.mjs",)),
    Client("LangChain JS", "@langchain/openai", "chat completions", "langchain.mjs", NODE, ("setup-langchain.mjs",)),
    Client("Mastra", "@mastra/core", "chat completions", "mastra.mjs", NODE, ("setup-mastra.mjs",)),
    Client(
        "assistant-ui",
        "@assistant-ui/react-ai-sdk",
        "chat API",
        "assistant-ui.mjs",
        NODE,
        ("setup-assistant-ui.mjs",),
        direct=None,
    ),
)
