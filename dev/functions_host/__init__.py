"""A development stand-in for the Azure Functions host, as far as HTTP triggers need one; never deployed.

It behaves as host 4.1037 was measured to, compiled from its source and without Azure's front end. Deliberate differences:

- Settings: see `settings`. Signals: see `server`. Replacing a dead worker: see `supervisor`.
- WebSockets are not tunnelled: the app has none. A wish for an upgrade is passed on, and what answers it is HTTP.
- After a handler has raised, the connection of its client stays open; the real host closes it.
- Invocations without an HTTP request come from the clients that leave early only with `--http-delay`, where each leaves one,
  instead of 1 to 4 in 1,000: a test can rely on either.
- A request of HTTP/1.0 without Host is answered with 500 before any invocation. Whether the real host has sent one by then was
  not measured.
- The query is passed on as sent; the real host changes little in it, and what was not measured.
- Keys: one stands for all (`keys`). Logs: `--verbose` shows what the real tools hide (`log_lines`).
"""
