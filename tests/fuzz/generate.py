"""Case number N of a seed: the same for ever, whatever ran before it."""

from collections.abc import Callable
from random import Random

import msgspec

from tests.fuzz.case import Case, Surface
from tests.fuzz.environments import make_environment
from tests.fuzz.framing import make_wire
from tests.fuzz.media import make_media
from tests.fuzz.requests import good_asked, make_asked, make_request
from tests.fuzz.setups import SETUPS
from tests.fuzz.upstreams import make_upstream
from tests.fuzz.wire import make_identity
from tests.fuzz.worker import make_for_worker


def _upstream(dice: Random) -> Case:
    return make_upstream(dice, good_asked(dice) if dice.random() < 0.9 else make_asked(dice))


def _wire(dice: Random) -> Case:
    return make_wire(dice, good_asked(dice), dice.choice([name for name in SETUPS if name not in ("two", "impatient")]))


MAKERS: dict[Surface, Callable[[Random], Case]] = {
    "requests": make_request,
    "upstream": _upstream,
    "wire": _wire,
    "identity": make_identity,
    "settings": make_environment,
    "worker": make_for_worker,
    "media": make_media,
}


def make_case(surface: Surface, seed: int, number: int) -> Case:
    """Return a case."""
    case = MAKERS[surface](Random(f"{surface} {seed} {number}"))
    return msgspec.structs.replace(case, surface=surface, note=f"seed {seed}, number {number}")
