"""One backend's service: it takes a request and gives the answer that the applicable behaviour specifies."""

import asyncio
import contextlib
import itertools
import json
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any

from dev.simulator.account import AccountState
from dev.simulator.behaviour import Behaviour, BehaviourError, from_header, from_prompt
from dev.simulator.call import Call, Json, Surface, newest_text
from dev.simulator.chat import Chat
from dev.simulator.completions import Completions
from dev.simulator.delivery import DEFAULT, Delivery
from dev.simulator.embeddings import embeddings
from dev.simulator.forms import read_form
from dev.simulator.grounded import question_of, wanted_query
from dev.simulator.identity import Identity
from dev.simulator.media import SOUND_TYPES, TEXT_FORMATS, Sound, Transcript, media_stream, streams
from dev.simulator.models import Deployments, models
from dev.simulator.objects import Objects
from dev.simulator.records import Log
from dev.simulator.refusals import (
    Refusal,
    in_stream,
    invalid,
    not_json,
    nothing_here,
    simulated,
    unauthorized,
    unknown_deployment,
)
from dev.simulator.response_counts import compacted, input_tokens
from dev.simulator.responses import Responses
from dev.simulator.retrieval import retrieve
from dev.simulator.routes import Ask, AskModels, AskObject, AskStored, route
from dev.simulator.script import Dialect
from dev.simulator.stored import Store
from dev.simulator.validation import check
from dev.simulator.wire import Exchange

NOT_BELOW_V1 = ("transcriptions", "translations")
MEDIA = ("generations", "edits", "speech", *NOT_BELOW_V1)
KINDS: dict[type, str] = {AskStored: "retrieval", AskModels: "models", AskObject: "objects"}


@dataclass(frozen=True, slots=True)
class Doors:
    """Settings of the service: authentication, deployments and speed."""

    open: bool = False
    key: str | None = None
    interval: float = 0.035
    deployments: Deployments = field(default_factory=Deployments)


@dataclass(slots=True)
class Service:
    name: str
    doors: Doors
    identity: Identity
    log: Log
    queue: deque[Behaviour] = field(default_factory=deque)
    store: Store = field(default_factory=Store)
    account: AccountState = field(init=False)
    objects: Objects = field(init=False)
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.account = AccountState(self.name)
        self.objects = Objects(self._line)

    @property
    def deployments(self) -> Deployments:
        own = self.account.settings.deployments
        return self.doors.deployments if own is None else Deployments(tuple(own))

    async def answer(self, exchange: Exchange) -> None:
        self.log.add(exchange.record)
        found = route(exchange)
        try:
            if found is None:
                raise nothing_here()
            self._let_in(exchange, found.surface)
            match found:
                case Ask():
                    await self._ask(exchange, found)
                case _:
                    await self._look_up(exchange, found)
        except Refusal as refusal:
            await Delivery(exchange).refuse(refusal)

    # Before the answer.

    def _let_in(self, exchange: Exchange, surface: Surface) -> None:
        scheme, _, credential = exchange.headers.get("authorization", "").partition(" ")
        bearer = credential.strip() if scheme.lower() == "bearer" else ""
        token = self.identity.token(bearer)
        if token is not None:
            exchange.record.audience = token.audience
            if token.valid:
                return
        key = self.doors.key
        if self.doors.open or (key is not None and key in (bearer, exchange.headers.get("api-key"))):
            return
        raise unauthorized(surface, token=bool(bearer))

    async def _ask(self, exchange: Exchange, ask: Ask) -> None:
        body: Any = read_form(exchange.headers.get("content-type", ""), exchange.body)
        if body is None:
            with contextlib.suppress(ValueError):  # rejected below, unless the behaviour decides otherwise
                body = json.loads(exchange.body)
        behaviour = self._behaviour(exchange, body, on="answer")
        delivery = Delivery(exchange, behaviour, number=next(self._numbers))
        if not await delivery.begin():
            return
        if behaviour.raw is not None:
            await delivery.raw(stream=isinstance(body, dict) and body.get("stream") is True)
            return
        try:
            if behaviour.status is not None and behaviour.status != 200:
                raise simulated(behaviour)
            call = self._call(ask, body, behaviour)
            await self._answer(exchange, call, delivery)
        except Refusal as refusal:
            await delivery.refuse(refusal)

    async def _look_up(self, exchange: Exchange, ask: AskStored | AskModels | AskObject) -> None:
        behaviour = self._behaviour(exchange, None, on=KINDS[type(ask)])
        delivery = Delivery(exchange, behaviour, number=next(self._numbers))
        if not await delivery.begin():
            return
        try:
            if behaviour.status is not None and behaviour.status != 200:
                raise simulated(behaviour)
            if isinstance(ask, AskModels):
                await delivery.json(models(ask, self.deployments))
            elif isinstance(ask, AskObject):
                await self.objects.answer(exchange, ask, delivery)
            else:
                await retrieve(exchange, ask, self.store, delivery)
        except Refusal as refusal:
            await delivery.refuse(refusal)

    def _behaviour(self, exchange: Exchange, body: Any, *, on: str) -> Behaviour:
        """Return the applicable behaviour: control takes precedence over the header, the header over the prompt."""
        record = exchange.record
        queued = next((one for one in self.queue if one.on == on), None)
        if queued is not None:
            record.behaviour = "control"
            if not queued.repeat:
                self.queue.remove(queued)
            return queued
        try:
            if "x-simulate" in exchange.headers:
                record.behaviour = "header"
                return from_header(exchange.headers["x-simulate"], self.name)
            text = newest_text(body)
            prompted = None if wanted_query(text) is not None else from_prompt(question_of(text), self.name)
        except BehaviourError as error:
            raise invalid(str(error), param="simulate", code="simulated_behaviour") from error
        if prompted is not None:
            record.behaviour = "prompt"
        return prompted or DEFAULT

    def _call(self, ask: Ask, body: Any, behaviour: Behaviour) -> Call:
        if not isinstance(body, dict):
            raise not_json()
        interval = self.doors.interval if behaviour.interval is None else behaviour.interval
        call = Call(ask.operation, self.name, ask.surface, body, behaviour, interval)
        if not call.deployment:
            raise invalid("you must provide a model parameter", param="model", code="missing_required_parameter")
        # Seen at the service: transcriptions have no deployments below /openai/v1, only at the deployment's own address.
        is_elsewhere = ask.surface.azure and not ask.surface.deployment and ask.operation in NOT_BELOW_V1
        if is_elsewhere or not self.deployments.has(call.deployment):
            raise unknown_deployment(ask.surface, call.deployment)
        refusal = check(ask.operation, body)
        if refusal is not None:
            raise refusal
        previous = body.get("previous_response_id")
        if previous is not None and self.store.get(previous) is None:
            message = f"Previous response with id '{previous}' not found."
            raise invalid(message, param="previous_response_id", code="previous_response_not_found")
        self.account.check(body, self.store)
        cached_tokens = self.account.cached_tokens(call.deployment, body)
        return replace(call, cached_tokens=cached_tokens, encrypted=self.account.encrypted(body))

    def _line(self, body: Json) -> Json:
        """Return the chat completion that a line of a batch asks for. Raise `Refusal`."""
        behaviour = from_prompt(newest_text(body), self.name) or DEFAULT
        call = self._call(Ask(Surface(azure=True), "chat"), body, behaviour)
        if behaviour.status is not None and behaviour.status != 200:
            raise simulated(behaviour)
        return Chat(call).whole()

    # The answer.

    async def _answer(self, exchange: Exchange, call: Call, delivery: Delivery) -> None:
        if call.operation == "embeddings":
            await delivery.json(embeddings(call))
            return
        if call.operation in MEDIA:
            await self._make_media(call, delivery)
            return
        if call.operation in ("input_tokens", "compact"):
            await delivery.json(input_tokens(call) if call.operation == "input_tokens" else compacted(call))
            return
        if call.operation == "responses":
            responses = Responses(call)
            if call.body.get("store") is not False:
                stored = self.store.keep(call, responses)
                if responses.object.background:
                    stored.run()
                    await (delivery.watched(stored.watch()) if call.stream else delivery.json(responses.object.view()))
                    return
            try:
                await self._deliver(exchange, call, responses, delivery)
            finally:
                if responses.object.ended_at is None:  # closing the connection cancels a foreground response
                    responses.object.end("cancelled")
            return
        await self._deliver(exchange, call, Chat(call) if call.operation == "chat" else Completions(call), delivery)

    async def _make_media(self, call: Call, delivery: Delivery) -> None:
        dialect = media_stream(call)
        if isinstance(dialect, Sound):
            sound_type = SOUND_TYPES.get(str(call.body.get("response_format")), SOUND_TYPES["mp3"])
            await delivery.stream(dialect, call.interval, content_type=sound_type)
        elif streams(call):
            await delivery.stream(dialect, call.interval)
        elif call.behaviour.in_stream_error is not None:
            raise in_stream(call.behaviour)
        elif isinstance(dialect, Transcript) and call.body.get("response_format") in TEXT_FORMATS:
            await delivery.whole(dialect.text.encode() + b"\n", "text/plain; charset=utf-8")
        else:
            await asyncio.sleep(call.behaviour.start_delay)
            await delivery.json(dialect.whole())

    async def _deliver(self, exchange: Exchange, call: Call, dialect: Dialect, delivery: Delivery) -> None:
        if call.stream:
            await delivery.stream(dialect, call.interval)
            return
        if call.behaviour.in_stream_error is not None:
            raise in_stream(call.behaviour)
        await asyncio.sleep(call.behaviour.start_delay + dialect.size() * call.interval)
        exchange.record.sent_tokens(dialect.size())
        await delivery.json(dialect.whole())
