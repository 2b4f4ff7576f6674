"""Keeps what each caller has used: sums in this process, written to the store in the background.

Each answer adds to a row of its caller, day and model that this process alone writes, as a whole and in no hurry. So a write
that is lost or repeated changes nothing, the next one says it all, and a million answers cost as many writes as there were
seconds with answers. What a single answer used is in its receipt.

    note ──▶ sums ──▶ flush: written          an answer never waits for the store, and never fails by it
                └─▶ cannot be written: kept, tried again; at the end of the process logged as lost
"""

import asyncio
import logging
import secrets
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime

from shared.limits.store import Changed, StoreError
from shared.limits.usage import NOTHING, Period, Spot, Sums, UsageRow
from shared.limits.usage_store import UsageStore
from shared.surrogates import replace_surrogates

_log = logging.getLogger(__name__)

WRITE_SECONDS = 2.0
"""How long after an answer its row is written."""
FAILURE_SECONDS = 10.0
"""How long after a failure the store is tried again."""
READ_SECONDS = 20.0
READS_AT_ONCE = 4
"""Of all callers together: the same table has the leases, and nobody may slow it down by asking what was used."""
CLOSE_SECONDS = 3.0
MAX_ROWS = 5000
"""How many rows this process keeps in memory."""
MAX_NAME_CHARACTERS = 300
"""Of a model: a caller may name any, and a server that takes every name answers."""
REMEMBERED_PAIRS = 2000


@dataclass(slots=True)
class _Row:
    spot: Spot
    id: str
    sums: Sums = NOTHING
    written: Sums = NOTHING

    @property
    def has_news(self) -> bool:
        return self.sums != self.written


class Ledger:
    """What the callers of this process have used. Call `close` at its end."""

    def __init__(self, store: UsageStore, *, clock: Callable[[], float] = time.time, owner: str = "") -> None:
        """Begin with nothing. `clock`: seconds since 1970."""
        self.prompts = Prompts()
        self._store = store
        self._clock = clock
        self._owner = owner or secrets.token_hex(8)
        self._rows: OrderedDict[Spot, _Row] = OrderedDict()
        self._made = 0
        self._writing: asyncio.Task[None] | None = None
        self._reads: dict[tuple[str | None, Period], asyncio.Task[Mapping[Spot, Sums] | Exception]] = {}
        self._turnstile = asyncio.Semaphore(READS_AT_ONCE)
        self._lock = asyncio.Lock()
        self._is_failing = self._is_closed = False

    @property
    def today(self) -> date:
        """The day that answers are noted under, in UTC."""
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def note(self, caller: str, model: str, sums: Sums) -> None:
        """Add an answer to what its caller has used today."""
        spot = Spot(caller, self.today.isoformat(), replace_surrogates(model[:MAX_NAME_CHARACTERS]))
        row = self._rows.get(spot) or self._new_row(spot)
        row.sums += sums
        if self._is_closed:
            _lost(row)
            row.written = row.sums
        elif self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_until_done())

    async def sums(self, caller: str | None, period: Period) -> Mapping[Spot, Sums]:
        """Return what a caller has used, or every caller where it is None: of other processes, what they have written.

        Raise `StoreError` or `TimeoutError`.
        """
        reading = self._reads.get((caller, period))
        if reading is None:
            self._reads[caller, period] = reading = asyncio.create_task(self._read(caller, period))
            reading.add_done_callback(lambda _: self._reads.pop((caller, period)))
        await asyncio.wait([reading])
        if reading.cancelled():
            raise StoreError("the process is stopping")
        found = reading.result()
        if isinstance(found, Exception):
            raise found
        return found

    async def _read(self, caller: str | None, period: Period) -> Mapping[Spot, Sums] | Exception:
        """Return the sums, or why there are none: nobody may be waiting any more."""
        try:
            async with asyncio.timeout(READ_SECONDS), self._turnstile:
                await self._flush()
                return await self._store.sums(caller, period)
        except (StoreError, TimeoutError) as error:
            return error

    async def close(self) -> None:
        """Write what is not written, as far as the store takes it in time, and log the rest as lost."""
        self._is_closed = True
        under_way = [task for task in (self._writing, *self._reads.values()) if task is not None]
        for task in under_way:
            task.cancel()
        if under_way:
            await asyncio.wait(under_way)
        with suppress(TimeoutError, StoreError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._flush()
        for row in self._rows.values():
            if row.has_news:
                _lost(row)
        self._rows.clear()
        await self._store.close()

    def _new_row(self, spot: Spot) -> _Row:
        """Return a row with an id of its own: after one that was dropped, it must not be written over that."""
        if len(self._rows) >= MAX_ROWS:
            self._make_room()
        self._made += 1
        self._rows[spot] = row = _Row(spot, f"{self._owner}-{self._made}")
        return row

    def _make_room(self) -> None:
        self._keep_if(lambda row: row.has_news)
        if len(self._rows) >= MAX_ROWS:
            _, oldest = self._rows.popitem(last=False)
            _lost(oldest)

    def _keep_if(self, is_needed: Callable[[_Row], bool]) -> None:
        for spot in [spot for spot, row in self._rows.items() if not is_needed(row)]:
            del self._rows[spot]

    async def _write_until_done(self) -> None:
        """Write while there is something new: an idle process has no timer."""
        while any(row.has_news for row in self._rows.values()):
            await asyncio.sleep(FAILURE_SECONDS if self._is_failing else WRITE_SECONDS)
            try:
                await self._flush()
            except StoreError as error:
                if not self._is_failing:
                    _log.error("What callers have used cannot be written, and is kept until it can: %s", error)
                self._is_failing = True
            except Exception:  # noqa: BLE001 - logged, and tried again
                _log.exception("What callers have used could not be written")
                self._is_failing = True
            else:
                self._is_failing = False
                self._forget_the_past()

    def _forget_the_past(self) -> None:
        """Drop what is written and will not change any more."""
        today = self.today.isoformat()
        self._keep_if(lambda row: row.has_news or row.spot.day >= today)

    async def _flush(self) -> None:
        """Write every row that has news. Raise `StoreError`."""
        async with self._lock:
            news: defaultdict[str, list[_Row]] = defaultdict(list)
            for row in self._rows.values():
                if row.has_news:
                    news[row.spot.caller].append(row)
            for caller, rows in news.items():
                written = [UsageRow(row.spot, row.id, row.sums) for row in rows]
                await self._put(caller, written)
                for row, as_written in zip(rows, written, strict=True):
                    row.written = as_written.sums

    async def _put(self, caller: str, rows: list[UsageRow]) -> None:
        try:
            await self._store.put(caller, rows)
        except Changed:  # the table was missing, and has been made
            try:
                await self._store.put(caller, rows)
            except Changed:
                raise StoreError("the rows were refused twice") from None


class Prompts:
    """How many tokens prompts have had, measured by what was expected of them: by caller and model, and by model."""

    def __init__(self) -> None:
        """Begin with none."""
        self._seen: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()

    def note(self, caller: str, model: str, *, expected: int, tokens: int) -> None:
        """Remember one prompt that the model has counted."""
        for pair in (("", model), (caller, model)):
            all_expected, all_tokens = self._seen.get(pair, (0, 0))
            self._seen[pair] = (all_expected + expected, all_tokens + tokens)
            self._seen.move_to_end(pair)
        while len(self._seen) > REMEMBERED_PAIRS:
            self._seen.popitem(last=False)

    def likely(self, caller: str, model: str, *, expected: int) -> int:
        """Return how many tokens a prompt probably has."""
        all_expected, all_tokens = self._seen.get((caller, model)) or self._seen.get(("", model), (0, 0))
        return round(expected * all_tokens / all_expected) if all_expected else expected


def _lost(row: _Row) -> None:
    """Log what of a row was not written, as far as this process knows: the only place that has it from now on."""
    used = asdict(row.sums - row.written)
    _log.error(
        "Lost from the ledger: caller %s, day %s, model %s, %s", row.spot.caller, row.spot.day, row.spot.model, used
    )
