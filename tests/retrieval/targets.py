"""What the tests search."""

from dataclasses import replace

from shared.config.search import SearchTarget

INDEX = SearchTarget(
    endpoint="https://s.search.windows.net",
    index="docs",
    knowledge_base="",
    fields=("content", "title", "url"),
    semantic_configuration="",
    vector_fields=(),
    top=5,
    filter="",
)
KNOWLEDGE_BASE = replace(INDEX, index="", knowledge_base="kb")
