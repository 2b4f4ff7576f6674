"""A chat in the terminal, and the example of how to consume the stream in Python: read `stream.py` first."""
