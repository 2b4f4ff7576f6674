"""The version of this app, for the app itself: pyproject.toml, which says it too, is not deployed."""

VERSION = "0.1.0"
