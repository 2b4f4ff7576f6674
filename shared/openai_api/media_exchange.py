"""One request for an image or a sound, or about one: the call that it becomes. See `exchange`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from shared.config.backends import Backend
from shared.config.catalog import Target
from shared.config.settings import Settings
from shared.config.values import V1_VERSIONS, is_dated_version
from shared.demand import Demand
from shared.http.spool import Spool
from shared.openai_api.exchange import RelayExchange
from shared.openai_api.form import Field, FormReader, text_part
from shared.openai_api.media import MediaApi
from shared.openai_api.media_relay import MediaBodyRelay, MediaInspector, SoundRelay, StreamOrBody
from shared.openai_api.paths import Media
from shared.openai_api.relay import BufferedRelay, StreamRelay
from shared.openai_api.request import parse_openai_request, upstream_body
from shared.translation import MAX_BUFFERED_BYTES, Translation
from shared.upstream.attempts import Answer
from shared.upstream.call import Upload, UpstreamCall

_MODEL, _IMAGES, _FORMAT = "model", "n", "response_format"
_NUMBER_BYTES = 8
_TEXT_FORMATS = frozenset({"text", "srt", "vtt"})
"""Whose answer is empty where nobody speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaExchange(RelayExchange):
    """A request whose body is JSON."""

    address: Media

    def prepare(self, body: bytes) -> Answer:
        """Return the answer that the body asks for. Raise `BadRequest` or `ModelNotFound`."""
        api, is_checked = self.address.api, self.settings.catalog.is_closed
        request = parse_openai_request(body)
        target = self._target(request.model)
        streams = api.streams_json(request.fields)
        images = bytes(request.fields.get(_IMAGES, b""))[:_NUMBER_BYTES].decode("ascii", "replace")
        call = UpstreamCall(
            path=api.path,
            address=partial(upstream_address, api.path, self._version()),
            target=target,
            body=lambda _backend, deployment: upstream_body(
                request, api.path, deployment, max_output_tokens=None, is_checked=is_checked
            ),
            headers=self.headers_up,
            streams=streams,
            demand=_media_demand,
        )
        return self._answer(call, images, is_text=False)

    def _target(self, model: str | None) -> Target:
        address = self.address
        name = address.deployment if address.deployment is not None else model
        target = self.resolve(name, is_azure=address.is_azure)
        self.receipt.model = target.model
        return target

    def _answer(self, call: UpstreamCall, images: str, *, is_text: bool) -> Answer:
        self.receipt.format = "stream" if call.streams else "whole"
        return Answer(call, self._translations(call, images, is_text=is_text), self.upstream, self.receipt)

    def _version(self) -> str:
        asked = self.context.request.query_params.get("api-version", "") if self.address.is_azure else ""
        return version_for(asked, self.settings)

    def _translations(self, call: UpstreamCall, images: str, *, is_text: bool) -> Callable[[], Translation]:
        api, settings = self.address.api, self.settings
        if not call.streams:
            return SoundRelay if api.is_audio else partial(MediaBodyRelay, may_be_empty=is_text, is_json=not is_text)
        relay = StreamRelay if settings.streaming_enabled else BufferedRelay
        # An event has a whole image in it, so that the bound for words would be too low for one.
        limit = max(settings.max_event_bytes, MAX_BUFFERED_BYTES) if api.per_image else settings.max_event_bytes

        def new_stream() -> StreamRelay:
            inspector = MediaInspector(api.ending, count=api.endings(images))
            return relay(inspector, hides_usage=False, max_event_bytes=limit)

        if api.may_ignore_stream:
            return lambda: StreamOrBody(new_stream(), MediaBodyRelay())
        return new_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class FormExchange(MediaExchange):
    """A request whose body is a form with files. `reader` has read `form_fields` of it once it is complete."""

    reader: FormReader

    def feed(self, piece: bytes) -> None:
        """Read the next piece of the form. Raise `BadRequest`."""
        self.reader.feed(piece)

    def prepare_upload(self, spool: Spool) -> Answer:
        """Return the answer that the complete form asks for. Raise `BadRequest` or `ModelNotFound`."""
        self.reader.end()
        found = self.reader.fields
        values = {name: one.value for name, one in found.items()}
        target = self._target(values.get(_MODEL) or None)
        content_type = self.context.request.headers["content-type"]
        version, boundary = self._version(), self.reader.boundary

        def upload(backend: Backend, deployment: str) -> Upload:
            # At a deployment's own address the form goes up as it came: what it says of the model means nothing there.
            is_named = has_deployments(backend, version)
            return Form(spool, content_type, None if is_named else _renamed(found.get(_MODEL), deployment, boundary))

        call = UpstreamCall(
            path=self.address.api.path,
            address=partial(upstream_address, self.address.api.path, version),
            target=target,
            upload=upload,
            headers=self.headers_up,
            streams=self.address.api.streams(values),
            demand=_media_demand,
        )
        return self._answer(call, values.get(_IMAGES, ""), is_text=values.get(_FORMAT, "").strip() in _TEXT_FORMATS)


def _media_demand() -> Demand:
    """Return what is known before: a request and a stream. Its tokens count once the model has told them."""
    return Demand(body_bytes=0, has_output=False)


def form_fields(api: MediaApi) -> set[str]:
    """Return the names of the fields that are read of a form."""
    return {_MODEL, _IMAGES, _FORMAT, api.stream_field} - {""}


@dataclass(frozen=True, slots=True)
class Edit:
    """What goes up in place of the bytes between two places of a form."""

    start: int
    end: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A spooled form on its way up; see `call.Upload`."""

    spool: Spool
    content_type: str
    edit: Edit | None

    @property
    def size(self) -> int:
        """Return the number of bytes that go up."""
        edit = self.edit
        return self.spool.size + (0 if edit is None else len(edit.data) - (edit.end - edit.start))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield all of them."""
        edit = self.edit or Edit(0, 0, b"")
        async for piece in self.spool.read(0, edit.start):
            yield piece
        if edit.data:
            yield edit.data
        async for piece in self.spool.read(edit.end, self.spool.size):
            yield piece


def _renamed(model: Field | None, deployment: str, boundary: bytes) -> Edit | None:
    """Return the change after which the form names the deployment; None where it does."""
    if model is None:
        return Edit(0, 0, text_part(boundary, _MODEL, deployment))
    return None if model.value == deployment else Edit(model.start, model.end, deployment.encode())


def version_for(asked: str, settings: Settings) -> str:
    """Return the version of Azure's API to call: the dated one that an Azure client names, else the setting's."""
    configured = settings.media_api_version
    return asked if is_dated_version(asked) and is_dated_version(configured) else configured


def has_deployments(backend: Backend, version: str) -> bool:
    """Return whether the version is called at the deployments' own addresses."""
    return backend.is_azure and version not in V1_VERSIONS


def upstream_address(path: str, version: str, backend: Backend, deployment: str) -> str:
    """Return the address of the call, absolute or relative to the backend's base URL.

    Azure documents images and audio below /openai/v1 for `preview` alone, and answers transcriptions there with
    `DeploymentNotFound`, as of 2026-09; all of them are at the deployments' addresses, which AzureOpenAI calls.
    """
    if has_deployments(backend, version):
        root = backend.base_url.removesuffix("openai/v1/")
        return f"{root}openai/deployments/{quote(deployment, safe='')}/{path}?api-version={version}"
    return f"{path}?api-version={version}" if backend.is_azure and version == "preview" else path
