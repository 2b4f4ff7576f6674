"""The product: everything between a caller's request and Azure OpenAI's answer. Knows nothing of azure.functions."""
