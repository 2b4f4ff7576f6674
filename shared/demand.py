"""What an answer asks for, as far as its request tells: what the limits of callers are measured against."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """`body_bytes`: of the request's JSON, without the images in it."""

    body_bytes: int
    images: int = 0
    max_output: int | None = None
    """The limit of the answer's tokens, the operator's included; None without one."""
    choices: int = 1
    """How many answers at once (`n`)."""
    has_output: bool = True
    """False for embeddings."""
    outlives: bool = False
    """The model goes on after its caller has gone: a background response."""
