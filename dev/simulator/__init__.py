"""A simulated Azure OpenAI in its own process, bad habits on demand. For development and tests alone."""
