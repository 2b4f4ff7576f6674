"""An answer that is based on a search: its steps and sources first, then the model's answer with the passages in its prompt.

The only module of the API that imports `shared.retrieval`, and imported only where RETRIEVAL is not `off`.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, closing
from dataclasses import dataclass, replace

import msgspec

from shared.chat.citing import CitingDecoder
from shared.chat.dialects import Decoder, Dialect
from shared.chat.encoders import Encoder
from shared.chat.encoders.json import JsonEncoder
from shared.chat.encoders.source_names import SourceNames
from shared.chat.request import ChatRequest, Message, TextPart
from shared.chat.translation import ChatTranslation
from shared.config.settings import Settings
from shared.demand import Demand
from shared.errors import UpstreamTimeout
from shared.events import AnswerEvent, Usage
from shared.progress import Progress
from shared.receipt import Aside, Receipt
from shared.retrieval.client import SearchClient
from shared.retrieval.markers import MarkerReader
from shared.retrieval.plan import Plan, Turn, plan_of
from shared.retrieval.prompt import GROUNDING, REWRITING, conversation_text, rewritten_query, sources_text
from shared.retrieval.search import Search, SearchService
from shared.retrieval.stage import Retrieval
from shared.upstream.attempts import Answer, Upstream
from shared.upstream.call import UpstreamCall

MAX_REWRITING_TOKENS = 1000
"""Of the call that writes the query, the reasoning of a model that does included."""
_CHARACTERS_PER_TOKEN = 4


class Grounding:
    """What every grounded answer of a process shares. `service`: what is searched; made from the settings where it is None."""

    def __init__(
        self, settings: Settings, upstream: Upstream, dialect: Dialect, service: SearchService | None = None
    ) -> None:
        """Open nothing yet."""
        assert settings.search is not None
        self._client = SearchClient(settings, settings.search.endpoint)
        self.settings = settings
        self.upstream = upstream
        self.dialect = dialect
        self.search = Search(service or self._client, settings, settings.search)

    def prelude(self, asked: "Asked") -> "Prelude | None":
        """Return what precedes the answer; None where the request has no question to search for."""
        turns = [Turn(message.role, str(message.text)) for message in asked.request.messages]
        plan = plan_of(turns)
        return None if plan is None else Prelude(self, asked, plan)

    async def load(self) -> None:
        """Import what is slow to import."""
        await self._client.load()

    async def aclose(self) -> None:
        """Close the connections to the search and the credential."""
        await self._client.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the API has understood it. `call`: as it would go up without a search."""

    request: ChatRequest
    call: UpstreamCall
    receipt: Receipt
    new_encoder: Callable[[], Encoder]
    names_sources: bool
    """The format's readers know sources by name: `[name]` takes the place of `[1]`."""


class Prelude:
    """See `response.Prelude`. The encoder of each attempt is told again, unheard, what was said, and goes on from there."""

    def __init__(self, grounding: Grounding, asked: Asked, plan: Plan) -> None:
        """Begin with nothing said."""
        self._grounding = grounding
        self._asked = asked
        self._plan = plan
        self._said: list[AnswerEvent] = []
        self._retrieval: Retrieval | None = None
        self._encoder = asked.new_encoder()
        self.translation = self._translation(self._encoder)

    @property
    def demand(self) -> Callable[[], Demand] | None:
        """What the request asks for: the passages are not known yet."""
        return self._asked.call.demand

    async def blocks(self) -> AsyncGenerator[bytes]:
        """Yield what can be sent of the steps and sources, when they happen. Raise `SearchUnavailable`."""
        grounding = self._grounding
        required = grounding.settings.search_required
        self._asked.receipt.retrieval_began_seconds = self._asked.receipt.elapsed()
        self._retrieval = retrieval = Retrieval(grounding.search, self._rewritten, required=required)
        try:
            async with aclosing(retrieval.events(self._plan)) as events:
                async for event in events:
                    self._said.append(event)
                    if block := self._encoder.encode([event]):
                        yield block
        finally:
            self._asked.receipt.retrieval |= retrieval.findings.record()

    def answer(self) -> Answer:
        """Return the answer that is to be asked for now."""
        asked, grounding = self._asked, self._grounding
        request = self._grounded_request()
        body = grounding.dialect.request_body
        call = replace(asked.call, body=lambda backend, deployment: body(request, deployment, backend=backend))
        return Answer(call, self._new_translation, grounding.upstream, asked.receipt)

    def _new_translation(self) -> ChatTranslation:
        encoder = self._asked.new_encoder()
        for event in self._said:
            encoder.encode([event])
        return self._translation(encoder)

    def _translation(self, encoder: Encoder) -> ChatTranslation:
        grounding = self._grounding
        decoder: Decoder = grounding.dialect.new_decoder()
        sources = self._retrieval.sources() if self._retrieval is not None else []
        if sources:
            names = SourceNames()
            by_number = {number: names.add(source) for number, source in enumerate(sources, start=1)}
            decoder = CitingDecoder(
                decoder, MarkerReader(len(sources), by_number if self._asked.names_sources else None)
            )
        return ChatTranslation(decoder, encoder, max_event_bytes=grounding.settings.max_event_bytes)

    def _grounded_request(self) -> ChatRequest:
        request = self._asked.request
        passages = self._retrieval.findings.passages if self._retrieval is not None else []
        if not passages:
            return request
        *before, question = request.messages
        own = 1 if self._grounding.settings.system_prompt else 0  # the operator's prompt goes first
        before.insert(own, Message("system", (TextPart.of(GROUNDING),)))
        question = replace(question, parts=(TextPart.of(sources_text(passages)), *question.parts))
        return replace(request, messages=(*before, question))

    async def _rewritten(self, plan: Plan) -> str:
        """Return the query that a model writes. Raise `UpstreamFailure`."""
        grounding, asked = self._grounding, self._asked
        limit = grounding.settings.search_seconds
        own = asked.receipt.part()
        asked.receipt.rewriting = own.attempts
        request = ChatRequest(
            messages=(
                Message("system", (TextPart.of(REWRITING),)),
                Message("user", (TextPart.of(conversation_text(plan)),)),
            ),
            max_output_tokens=MAX_REWRITING_TOKENS,
        )
        body = grounding.dialect.request_body
        call = replace(
            asked.call,
            body=lambda backend, deployment: body(request, deployment, backend=backend),
        )
        answer = Answer(call, self._new_rewriting, grounding.upstream, own)
        try:
            async with asyncio.timeout(limit):
                text = await _whole(answer)
        except TimeoutError:
            raise UpstreamTimeout("The query took too long.", cause=f"not rewritten within {limit:g} s") from None
        finally:
            _note(asked.receipt, own, request, answer.translation.progress)
        return rewritten_query(text, plan)

    def _new_rewriting(self) -> ChatTranslation:
        grounding = self._grounding
        bounds = grounding.settings.max_event_bytes
        return ChatTranslation(grounding.dialect.new_decoder(), JsonEncoder(), max_event_bytes=bounds)


async def _whole(answer: Answer) -> str:
    with closing(await answer.begin()) as stream:
        whole = b""
        while block := await stream.read():
            whole += block
    text: str = msgspec.json.decode(whole)["text"]
    return text


def _note(receipt: Receipt, own: Receipt, request: ChatRequest, progress: Progress) -> None:
    """Note what the query has cost: as the model reported it, or what was sent and seen of it."""
    usage = progress.usage
    if usage is not None:
        receipt.aside = Aside(usage)
        receipt.retrieval |= {"rewriting_tokens": {"input": usage.input_tokens, "output": usage.output_tokens}}
    elif own.attempts and not own.attempts[-1].has_failed:
        characters = sum(len(str(message.text)) for message in request.messages)
        receipt.aside = Aside(Usage(characters // _CHARACTERS_PER_TOKEN, progress.chunks), is_estimated=True)
