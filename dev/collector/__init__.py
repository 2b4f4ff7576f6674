"""A collector for `make run TELEMETRY=1`: prints the traces of what one just asked, and shows traces and metrics on a page."""
