"""The app in the test's own process: from the ASGI call to the `UpstreamClients` Protocol, in virtual time.

`app` builds the endpoints and runs one request or several; `upstream` scripts what the backends do; `caller` scripts what
the client does and records what it received; `virtual_time` makes seconds cost nothing.
"""
