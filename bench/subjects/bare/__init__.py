"""One function app."""
