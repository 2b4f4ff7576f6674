"""The HTTP side that both APIs share: who calls, the request's body, the streaming response."""
