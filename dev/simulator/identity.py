"""The identity endpoint of App Service, and the tokens it issued.

Protocol: https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference. Its
texts for an invalid header are unverified.
"""

import asyncio
import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import msgspec

from dev.simulator.behaviour import BehaviourError, Part
from dev.simulator.body import Body
from dev.simulator.play import forever
from dev.simulator.records import Log
from dev.simulator.wire import Exchange

PATH = "/msi/token"
API_VERSION = "2019-08-01"
TOKEN_SECONDS = 24 * 60 * 60
AUDIENCES = ("https://cognitiveservices.azure.com", "https://ai.azure.com")


class IdentityBehaviour(Part, frozen=True):
    delay: float = 0.0
    never_answer: bool = False
    status: int | None = None
    body: str | dict[str, Any] | None = None
    """The body of an error response; with status 200, the body instead of a token."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    expires_in: float = TOKEN_SECONDS
    reset: bool = False
    """Reset the connection instead of answering."""
    times: int | None = None
    """Number of requests it applies to; None: until changed."""


def identity_behaviour(value: Any) -> IdentityBehaviour:
    try:
        return msgspec.convert(value, IdentityBehaviour)
    except msgspec.ValidationError as error:
        raise BehaviourError(f"not an identity behaviour: {error}") from error


@dataclass(frozen=True, slots=True)
class Token:
    audience: str
    expires_at: float

    @property
    def valid(self) -> bool:
        return self.is_for(AUDIENCES)

    def is_for(self, audiences: tuple[str, ...]) -> bool:
        return time.time() < self.expires_at and self.audience.rstrip("/") in audiences


class Identity:
    def __init__(self) -> None:
        self.header = secrets.token_hex(16)
        self.log = Log()
        self._tokens: dict[str, Token] = {}
        self._behaviour = IdentityBehaviour()
        self._left: int | None = None

    def behave(self, behaviour: IdentityBehaviour) -> None:
        self._behaviour = behaviour
        self._left = behaviour.times

    def revoke(self) -> None:
        """Reject every token issued so far."""
        self._tokens.clear()

    def token(self, text: str) -> Token | None:
        return self._tokens.get(text)

    async def answer(self, exchange: Exchange) -> None:
        self.log.add(exchange.record)
        behaviour = self._take()
        if behaviour.never_answer:
            await forever()
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if behaviour.reset:
            await exchange.reset()
            return
        status, answer = self._answer(exchange, behaviour)
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        body = Body(exchange, cut_bytes=None, cut_seed=None, gzip=False)
        await body.head(status, {"content-type": "application/json", **behaviour.headers}, length=len(data))
        await body.write(data)
        await body.finish()

    def _take(self) -> IdentityBehaviour:
        if self._left is not None:
            if self._left <= 0:
                return IdentityBehaviour()
            self._left -= 1
        return self._behaviour

    def _answer(self, exchange: Exchange, behaviour: IdentityBehaviour) -> tuple[int, str | dict[str, Any]]:
        if behaviour.status is not None or behaviour.body is not None:
            status = behaviour.status or 200
            usual = {
                "statusCode": status,
                "message": "Simulated: no token today.",
                "correlationId": secrets.token_hex(16),
            }
            return status, usual if behaviour.body is None else behaviour.body
        if exchange.headers.get("x-identity-header") != self.header:
            return 401, {"statusCode": 401, "message": "Unauthorized: the X-IDENTITY-HEADER is missing or wrong."}
        resource = exchange.query.get("resource")
        if exchange.method != "GET" or not resource or exchange.query.get("api-version") != API_VERSION:
            return 400, {
                "statusCode": 400,
                "message": "Bad request: `resource` and a supported `api-version` are needed.",
            }
        expires_at = time.time() + behaviour.expires_in
        client_id = exchange.query.get("client_id") or "00000000-0000-0000-0000-000000000000"
        text = _token_text(resource, expires_at, client_id)
        self._tokens[text] = Token(resource, expires_at)
        return 200, {
            "access_token": text,
            "expires_on": str(int(expires_at)),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": client_id,
        }


def _token_text(audience: str, expires_at: float, client_id: str) -> str:
    """Return a token of realistic form and length, so that headers have a realistic size.

    Azurite with `--oauth basic` accepts it: that reads the claims and checks no signature.
    """

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000000/",
        "appid": client_id,
        "iat": now,
        "nbf": now,
        "exp": int(expires_at),
        "ver": "1.0",
    }
    signature = base64.urlsafe_b64encode(secrets.token_bytes(512)).decode().rstrip("=")
    return f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'simulated'})}.{part(claims)}.{signature}"
