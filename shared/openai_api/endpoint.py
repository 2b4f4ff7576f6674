"""The OpenAI API, `/v1/…` and Azure's paths: any OpenAI client works by changing its base URL and key. A relay."""

from typing import TYPE_CHECKING, Any, assert_never

import msgspec
from starlette.responses import Response

from shared.config.settings import Settings
from shared.errors import AnswerError, NotFound, UnsupportedMediaType
from shared.http.admission import Admission
from shared.http.auth import authorise, caller_identity
from shared.http.context import RequestContext
from shared.http.forwarded import headers_up
from shared.http.json_body import check_content_encoding, check_content_headers
from shared.http.open_streams import OpenStreams
from shared.http.response import AnswerResponse, Exchange
from shared.http.target import check_method, requested_path
from shared.http.upload import UploadResponse
from shared.openai_api.exchange import InferenceExchange, StoredExchange
from shared.openai_api.form import FormReader, boundary_of
from shared.openai_api.media import RequestBody
from shared.openai_api.media_exchange import FormExchange, MediaExchange, form_fields
from shared.openai_api.paths import (
    Inference,
    Media,
    ModelList,
    OneModel,
    StoredResponse,
    below_base,
    find_address,
    is_unserved,
)
from shared.openai_api.response_ids import ResponseIds
from shared.state.signing_key import KeyRing
from shared.upstream.attempts import Upstream

if TYPE_CHECKING:
    from shared.openai_api.object_ids import ObjectIds


class OpenAIEndpoint:
    """Makes the response object of one request; the work is done when the response is called."""

    def __init__(
        self,
        settings: Settings,
        upstream: Upstream,
        open_streams: OpenStreams,
        key_ring: KeyRing,
        *,
        admission: Admission | None = None,
    ) -> None:
        """Keep what every request of this process shares."""
        self._admission = admission
        self._settings = settings
        self._upstream = upstream
        self._open_streams = open_streams
        self._key_ring = key_ring

    def respond(self, context: RequestContext) -> Response:
        """Return the response to any method on any path of this API."""
        request = context.request
        try:
            caller = authorise(self._settings, request.headers)
            address = find_address(requested_path(request.scope))
            if address is None:
                if objects := self._objects(context, caller):
                    return objects
                unserved = is_unserved(requested_path(request.scope))
                raise (NotFound.unserved if unserved else NotFound.route)(request.method, request.url.path)
            check_method(request, address.methods)
            match address:
                case ModelList():
                    return self._model_list(context)
                case OneModel(name):
                    return self._one_model(context, name)
                case Media():
                    return self._media(context, caller, address)
                case StoredResponse() | Inference():
                    return self._answer(context, caller, address)
                case _:
                    assert_never(address)
        except AnswerError as error:
            return context.refuse(error)

    def _answer(self, context: RequestContext, caller: str, address: StoredResponse | Inference) -> Response:
        settings, upstream, request = self._settings, self._upstream, context.request
        receipt, up = context.receipt("openai", caller), headers_up(settings, request.headers)
        ids = ResponseIds(
            self._key_ring, settings.backends, caller_identity(settings, caller, request.headers, request.query_params)
        )
        exchange: Exchange
        if isinstance(address, Inference):
            check_content_headers(request.headers)
            exchange = InferenceExchange(
                settings=settings,
                upstream=upstream,
                context=context,
                receipt=receipt,
                ids=ids,
                headers_up=up,
                address=address,
                objects=self._object_ids(context, caller) if settings.openai_stateful == "on" else None,
            )
        else:
            exchange = StoredExchange(
                settings=settings,
                upstream=upstream,
                context=context,
                receipt=receipt,
                ids=ids,
                headers_up=up,
                address=address,
            )
        return AnswerResponse(exchange, settings=settings, open_streams=self._open_streams, admission=self._admission)

    def _media(self, context: RequestContext, caller: str, address: Media) -> Response:
        settings, headers, bodies = self._settings, context.request.headers, address.api.bodies
        boundary = boundary_of(headers.get("content-type", "")) if RequestBody.FORM in bodies else None
        if boundary is None and bodies == {RequestBody.FORM}:
            raise UnsupportedMediaType("The Content-Type is not supported; expected multipart/form-data.")
        if boundary is None:
            check_content_headers(headers)
        else:
            check_content_encoding(headers)
        upstream, receipt = self._upstream, context.receipt("openai", caller)
        up = headers_up(settings, context.request.headers)
        if boundary is None:
            exchange = MediaExchange(
                settings=settings, upstream=upstream, context=context, receipt=receipt, headers_up=up, address=address
            )
            return AnswerResponse(
                exchange, settings=settings, open_streams=self._open_streams, admission=self._admission
            )
        reader = FormReader(boundary, form_fields(address.api))
        form = FormExchange(
            settings=settings,
            upstream=upstream,
            context=context,
            receipt=receipt,
            headers_up=up,
            address=address,
            reader=reader,
        )
        return UploadResponse(form, settings=settings, open_streams=self._open_streams, admission=self._admission)

    def _objects(self, context: RequestContext, caller: str) -> Response | None:
        """Return the response about a file, a vector store, a conversation or a batch; None where none is named or served."""
        if self._settings.openai_stateful == "off":
            return None
        from shared.openai_api.batches import check_may_make_batches
        from shared.openai_api.object_exchange import FileUploadExchange, ObjectExchange
        from shared.openai_api.objects import Posted, find_object

        request, settings = context.request, self._settings
        address = find_object(below_base(requested_path(request.scope)))
        if address is None:
            return None
        if request.method in ("GET", "HEAD") and address.api.is_unlisted:
            raise NotFound.unlisted(request.method, request.url.path)
        check_method(request, address.api.methods)
        if address.api.makes_batch:
            check_may_make_batches(settings, caller)
        shared: dict[str, Any] = {
            "settings": settings,
            "upstream": self._upstream,
            "context": context,
            "receipt": context.receipt("openai", caller),
            "headers_up": headers_up(settings, request.headers),
            "ids": self._object_ids(context, caller),
            "address": address,
        }
        if request.method == "POST" and address.api.posted is Posted.FORM:
            boundary = boundary_of(request.headers.get("content-type", ""))
            if boundary is None:
                raise UnsupportedMediaType("The Content-Type is not supported; expected multipart/form-data.")
            check_content_encoding(request.headers)
            upload = FileUploadExchange(**shared, reader=FormReader(boundary, ()))
            return UploadResponse(upload, settings=settings, open_streams=self._open_streams, admission=self._admission)
        check_content_encoding(request.headers)
        exchange = ObjectExchange(**shared)
        return AnswerResponse(exchange, settings=settings, open_streams=self._open_streams, admission=self._admission)

    def _object_ids(self, context: RequestContext, caller: str) -> "ObjectIds":
        from shared.openai_api.object_ids import ObjectIds

        settings, request = self._settings, context.request
        identity = caller_identity(settings, caller, request.headers, request.query_params)
        return ObjectIds(self._key_ring, settings.backends, identity)

    def _model_list(self, context: RequestContext) -> Response:
        entries = [self._model_object(name) for name in self._settings.catalog.names]
        return context.plain(msgspec.json.encode({"object": "list", "data": entries}), media_type="application/json")

    def _one_model(self, context: RequestContext, name: str) -> Response:
        self._settings.catalog.check_listed(name)
        return context.plain(msgspec.json.encode(self._model_object(name)), media_type="application/json")

    def _model_object(self, name: str) -> dict[str, object]:
        """Return a model as OpenAI lists it: https://platform.openai.com/docs/api-reference/models/object."""
        serving = self._settings.catalog.resolve(name).deployments
        owner = next(backend.owner for backend in self._settings.backends if backend.name in serving)
        return {"id": name, "object": "model", "created": 0, "owned_by": owner}
