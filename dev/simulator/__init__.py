"""A simulated Azure OpenAI in its own process, with faults on demand. For development and tests only."""
