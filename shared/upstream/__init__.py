"""Everything between this app and Azure OpenAI: the only place that imports openai, azure.identity, httpx2 and aiohttp."""
