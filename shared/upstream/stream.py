"""An answer after its first content: one body, one translation. It cannot ask another backend, because it has none."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from shared.progress import OVER
from shared.translation import Translation
from shared.upstream.call import Renewal
from shared.upstream.reading import Reader

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Stream:
    """What a backend has begun to answer. `read` until b'', then `close`; or `close` at any time."""

    def __init__(
        self,
        reader: Reader,
        held: bytes,
        *,
        status: int,
        headers: Mapping[str, str],
        renewal: Renewal | None = None,
    ) -> None:
        """Take over the reader with what it holds."""
        self.status = status
        self.headers = headers
        """The upstream's own."""
        self._reader = reader
        self._held = held
        self._renewal = renewal
        self.has_given_all = False
        """Whether the model has ended the answer, and its last block was taken: another read was asked for after it."""

    @property
    def translation(self) -> Translation:
        """The translation of the answer, which knows how far it has come."""
        return self._reader.translation

    @property
    def last_read(self) -> float:
        """When the upstream last sent anything, on the loop's clock."""
        return self._reader.last_read

    @property
    def last_event(self) -> float:
        """When the upstream last completed an event, or said otherwise that it goes on; on the loop's clock."""
        event, renewal = self._reader.last_event, self._renewal
        return event if renewal is None else max(event, renewal.last_sign)

    @property
    def goes_on(self) -> bool:
        """Whether the model goes on without a reader."""
        return self._renewal is not None and self._reader.translation.progress.phase not in OVER

    def renew(self) -> bool:
        """Take a silent upstream up again; return False where that is not possible."""
        if self._renewal is None or not self._renewal.renew():
            return False
        self._reader.forgive_silence()
        return True

    def release_headers(self) -> None:
        """Forget the upstream's headers, once the head has been sent: a stream may be open for long."""
        self.headers = NO_HEADERS

    async def read(self, offer: Callable[[bytes], bool] | None = None) -> bytes:
        """Return the next block of complete frames, at most one per read of the network; b'' once the answer has ended.

        Blocks that `offer` takes, returning True, are not returned: it is called the moment they have come.
        Raise `AnswerError` where the answer fails; `translation.fail` has its ending.
        """
        if self._held:
            held, self._held = self._held, b""
            return held
        reader = self._reader
        progress = reader.translation.progress
        while progress.phase not in OVER:
            if block := await (reader.step() if offer is None else reader.flow(offer)):
                return block
        if progress.failure is not None:
            raise progress.failure
        self.has_given_all = True
        await reader.finish()
        return b""

    async def count_the_rest(self) -> None:
        """Take account of what has arrived and was not read, before `close`."""
        await self._reader.count_the_rest()

    def close(self) -> None:
        """Release the upstream at once, finished or not."""
        self._reader.close()
