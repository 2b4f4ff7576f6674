"""The worst bodies: what reading one takes is in proportion to its size, whatever it holds."""

import tracemalloc
from contextlib import suppress

from bench.pauses import BODIES, V1
from shared.chat.shapes import parse_chat_request
from shared.errors import BadRequest
from shared.openai_api.request import parse_openai_request, upstream_body
from tests.harness.cells import cells

SIZE = 1024 * 1024


@cells("name", BODIES)
def test_reading_a_body_takes_a_few_times_its_size(name: str) -> None:
    path, make = BODIES[name]
    body = make(SIZE)
    tracemalloc.start()
    try:
        with suppress(BadRequest):
            if path == V1:
                upstream_body(parse_openai_request(body), "chat/completions", "dep", max_output_tokens=1)
            else:
                parse_chat_request(body)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < SIZE * 4
