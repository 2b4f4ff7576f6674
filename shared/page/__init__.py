"""The chat page and the text at `/`."""
