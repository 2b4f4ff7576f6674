"""A simulated Azure AI Search: an index over this project's own documentation, and a knowledge base on top of it."""
