"""A whole stream of chat completions, byte by byte, as the simulated upstream takes it."""

import base64

RAW = base64.b64encode(
    b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Gr\xc3\xbc\xc3\x9fe"}}]}\n\n'
    b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"length"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
).decode()
