"""The chat API, `/chat` and `/stream`: a small request in, the answer's deltas out in the format that the caller asks for."""

from typing import TYPE_CHECKING

from starlette.responses import Response

from shared.chat.dialects import DIALECTS
from shared.chat.exchange import ChatExchange
from shared.chat.negotiation import Preferences, check_acceptable, parse_accept
from shared.chat.shapes import schema_of_call
from shared.config.settings import Settings
from shared.errors import AnswerError
from shared.http.admission import Admission
from shared.http.auth import authorise
from shared.http.context import RequestContext
from shared.http.forwarded import headers_up
from shared.http.json_body import check_content_headers
from shared.http.open_streams import OpenStreams
from shared.http.response import AnswerResponse
from shared.http.target import requested_path
from shared.upstream.attempts import Upstream

if TYPE_CHECKING:
    from shared.chat.grounding import Grounding
    from shared.chat.resuming import Resuming


class ChatEndpoint:
    """Makes the response object of one request; the work is done when the response is called."""

    def __init__(  # noqa: PLR0913 - what every request shares
        self,
        settings: Settings,
        upstream: Upstream,
        open_streams: OpenStreams,
        grounding: "Grounding | None" = None,
        *,
        resuming: "Resuming | None" = None,
        admission: Admission | None = None,
    ) -> None:
        """Keep what every request of this process shares.

        `grounding`: None where RETRIEVAL is off. `resuming`: None where RESUME is off. `admission`: None where callers have no
        limits.
        """
        self._grounding = grounding
        self._resuming = resuming
        self._admission = admission
        self._settings = settings
        self._upstream = upstream
        self._open_streams = open_streams

    def respond(self, context: RequestContext, *, must_stream: bool) -> Response:
        """Return the response to a POST. `must_stream`: this address has no non-streaming answers."""
        settings, request = self._settings, context.request
        try:
            caller = authorise(settings, request.headers)
            check_content_headers(request.headers)
            up = headers_up(settings, request.headers)
            preferences = Preferences(
                asked=request.query_params.get("format"),
                accept=parse_accept(request.headers.get("accept")),
                must_stream=must_stream,
                streaming_enabled=settings.streaming_enabled,
            )
            schema = schema_of_call(requested_path(request.scope), request.headers, preferences.accept)
            check_acceptable(preferences, schema)  # what can be refused is refused before the body is read
        except AnswerError as error:
            return context.refuse(error)
        exchange = ChatExchange(
            settings=settings,
            upstream=self._upstream,
            dialect=DIALECTS[settings.api],
            context=context,
            receipt=context.receipt("chat", caller),
            preferences=preferences,
            schema=schema,
            headers_up=up,
            grounding=self._grounding,
            resuming=self._resuming,
        )
        return AnswerResponse(exchange, settings=settings, open_streams=self._open_streams, admission=self._admission)
