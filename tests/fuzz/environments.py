"""Hostile settings: each with an odd value, or with a secret where none belongs."""

import json
from random import Random

from shared.config.settings import SETTING_NAMES
from tests.fuzz.case import Asked, Case, text
from tests.fuzz.odd import BROKEN, NUMBERS, TEXTS, damaged, mutated, written
from tests.fuzz.requests import good_asked
from tests.fuzz.setups import CALLER_KEY, MISPLACED
from tests.fuzz.upstreams import good_reply

_ACCOUNT = "account.openai.azure.com"
ADDRESSES = (
    f"https://{_ACCOUNT}", f"http://{_ACCOUNT}", f"https://{MISPLACED}@{_ACCOUNT}", f"https://u:{MISPLACED}@{_ACCOUNT}/",
    f"https://u:1/{MISPLACED}@{_ACCOUNT}", f"https://{_ACCOUNT}/{MISPLACED}", f"https://{_ACCOUNT}?k={MISPLACED}",
    f"https://{_ACCOUNT}#{MISPLACED}", f"https://{_ACCOUNT}:{MISPLACED}", f"{MISPLACED}://{_ACCOUNT}", "https://", "http://[::1",
    f"https://{MISPLACED}", f"{_ACCOUNT}", f" https://{_ACCOUNT} {MISPLACED}", "https://[::1]:99999", "https://a b", "http://127.0.0.1:1",
    "https://\u2024", "https://xn--", "HTTPS://" + _ACCOUNT.upper(), "https://" + "a" * 300 + ".com", "file:///etc/passwd",
)  # fmt: skip
_BACKENDS = [
    {"name": "a", "endpoint": f"https://{_ACCOUNT}", "priority": 1, "weight": 2, "deployments": {"m": "gpt"}},
    {
        "name": "b",
        "endpoint": "https://other.openai.azure.com",
        "api_key": MISPLACED,
        "scope": "https://ai.azure.com/.default",
    },
]
_BY_NAME: dict[str, tuple[str, ...]] = {
    "AUTH_MODE": ("keys", "entra", "anonymous", "function", "key", "KEYS", "none", "\u212aeys"),
    "CALLER_KEYS": (f"a={MISPLACED}", f"{MISPLACED}=sha256:" + "0" * 64, "a=sha256:" + "g" * 64, ",,,", "a=sha256:" + "0" * 64),
    "ALLOWED_ORIGINS": ("*", "https://a.example.com,", "null", "https://a.example.com/", f"https://{MISPLACED}@a.com", "https://A.EXAMPLE.COM:443"),
    "AZURE_OPENAI_MODELS": ("a=b", "a=b,a=c", "{}", '{"a":1}', '{"a":"b"', "=", "a==", "[" * 5000, '{"a":"b","a":"c"}'),
    "AZURE_CLIENT_ID": ("11111111-2222-3333-4444-555555555555", MISPLACED),
    "WEBSITE_SITE_NAME": ("app",),
    "WEBSITE_AUTH_ENABLED": ("True", "false"),
    "APPLICATIONINSIGHTS_CONNECTION_STRING": (MISPLACED, f"InstrumentationKey={MISPLACED}"),
}  # fmt: skip
_ADDRESSES = ("AZURE_OPENAI_ENDPOINT", "OPENAI_BASE_URL", "AZURE_OPENAI_SCOPE", "ALLOWED_ORIGINS")
_PUBLISHED = ("AZURE_OPENAI_DEPLOYMENT", "AZURE_OPENAI_MODELS")
"""Names that the log and the list of models show on purpose: no secret is planted in them."""
MOST_CHARACTERS = 256
"""Of an odd text: some are names, which every receipt shows."""
_NAMES = (*SETTING_NAMES, *_BY_NAME)


def make_environment(dice: Random) -> Case:
    """Return a case of the surface `settings`: one request to a service that was made from them."""
    setup = dice.choice(("anonymous", "keys", "two"))
    found = dict(_setting(dice) for _ in range(dice.choice((1, 1, 2, 3))))
    env = {name: text(value.encode("utf-8", "surrogateescape")) for name, value in found.items()}
    asked = good_asked(dice)
    if dice.random() < 0.3:
        path = dice.choice(("/health", "/", "/v1/models", "/page/app.js"))
        asked = Asked(
            method="GET", path=path, headers=[("api-key", CALLER_KEY), ("accept", dice.choice(("text/html", "*/*")))]
        )
    if dice.random() < 0.1:
        asked = Asked(method="OPTIONS", path="/chat", headers=[("origin", "https://a.example.com")])
    return Case(surface="settings", setup=setup, env=env, asked=asked, replies=[good_reply(asked.path, setup, dice)])


def _setting(dice: Random) -> tuple[str, str]:
    name = dice.choice(_NAMES)
    if name == "AZURE_OPENAI_BACKENDS":
        data = written(mutated(_BACKENDS, dice, names=("key", "api_key", "deployments")), dice)
        data = damaged(data, dice) if dice.random() < 0.3 else data
        return name, _possible(data.decode("utf-8", "surrogateescape"))
    if name in _BY_NAME and dice.random() < 0.7:
        return name, dice.choice(_BY_NAME[name])
    if name in _ADDRESSES and dice.random() < 0.8:
        return name, dice.choice(ADDRESSES)
    roll = dice.random()
    if roll < 0.3 and name not in _PUBLISHED:
        return name, MISPLACED
    if roll < 0.4 and name not in _PUBLISHED:
        return name, json.dumps({"key": MISPLACED})
    return name, _possible(str(dice.choice(dice.choice((TEXTS, NUMBERS, BROKEN))))[:MOST_CHARACTERS])


def _possible(value: str) -> str:
    """Return the value without what no environment can hold."""
    return value.replace("\0", "")
