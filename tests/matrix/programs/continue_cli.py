import commands

CONFIG = commands.settings("config.yaml", "$HOME/.continue/config.yaml")
COMMAND = ["cn", "--print", "--auto", "--config", CONFIG]

commands.run(
    lambda prompt: ([*COMMAND, prompt], ""),
    lambda output: output.strip(),
    lambda prompt: ([*COMMAND, "--resume", prompt], ""),
    whole="its command always streams",
    structured="its command takes no schema",
)
