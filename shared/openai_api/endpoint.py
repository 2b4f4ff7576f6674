"""The OpenAI API, `/v1/…` and Azure's paths: any OpenAI client works by changing its base URL and key. A relay."""

import msgspec
from starlette.responses import Response

from shared.config.model_names import served_models
from shared.config.settings import Settings
from shared.errors import AnswerError, MethodNotAllowed, ModelNotFound, NotFound
from shared.http.auth import authorise
from shared.http.context import RequestContext
from shared.http.json_body import check_content_headers
from shared.http.open_streams import OpenStreams
from shared.http.response import AnswerResponse
from shared.openai_api.exchange import InferenceExchange, StoredExchange
from shared.openai_api.paths import Address, find_address
from shared.upstream.attempts import Upstream


class OpenAIEndpoint:
    """Makes the response object of one request; the work is done when the response is called."""

    def __init__(self, settings: Settings, upstream: Upstream, open_streams: OpenStreams) -> None:
        self._settings = settings
        self._upstream = upstream
        self._open_streams = open_streams

    def respond(self, context: RequestContext) -> Response:
        """Return the response to any method on any path of this API."""
        request = context.request
        try:
            caller = authorise(self._settings, request.headers)
            address = find_address(request.url.path)
            if address is None:
                raise NotFound(f"No route matches {request.method} {request.url.path}.")
            if request.method not in address.methods:
                allowed = ", ".join(sorted(address.methods))
                raise MethodNotAllowed(
                    f"Method {request.method} is not allowed for {request.url.path}. Allowed: {allowed}.",
                    headers={"allow": allowed},
                )
            if address.kind in ("models", "model"):
                return self._models(context, address)
            if address.kind == "answer":
                check_content_headers(request.headers)
        except AnswerError as error:
            return context.refuse(error)
        kind = InferenceExchange if address.kind == "answer" else StoredExchange
        exchange = kind(
            settings=self._settings,
            upstream=self._upstream,
            context=context,
            receipt=context.receipt("openai", caller),
            address=address,
        )
        return AnswerResponse(exchange, settings=self._settings, open_streams=self._open_streams)

    def _models(self, context: RequestContext, address: Address) -> Response:
        names = served_models(self._settings)
        if address.kind == "model" and address.id not in names:
            raise ModelNotFound(f"The model {address.id!r} does not exist here.", param="model")
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "azure-openai"} for name in names]
        whole = {"object": "list", "data": entries}
        body = entries[names.index(address.id)] if address.kind == "model" else whole
        return context.plain(msgspec.json.encode(body), media_type="application/json")
