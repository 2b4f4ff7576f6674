"""Terminal chat client, and the example of consuming the stream in Python: start with `stream.py`."""
