"""The development tools: a Functions host, a simulated Azure OpenAI, the checks of infra/. For those who work on this project.

Never deployed (`.funcignore`), and imported by nothing that is (an import contract).
"""
