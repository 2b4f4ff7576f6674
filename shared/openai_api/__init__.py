"""/v1 and /openai: OpenAI's API, relayed."""
