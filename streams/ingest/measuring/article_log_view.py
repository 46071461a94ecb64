"""What measuring needs to know of the log: names of markets, the window, what is measured.

All of it is folded from the log at the start and followed afterwards, so a measurer may die
at any time, and several may share the work.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from schemas import subjects
from schemas.errors import InputError, UnknownRecord
from schemas.limits import MAX_WINDOW_ARTICLES, SERVICE_CLOCK_S
from schemas.observations import (
    OBSERVATIONS,
    ArticleObserved,
    SignalsMeasured,
    TextMeasured,
    is_measured_text,
)
from schemas.stored import Stored
from schemas.units import SECOND_NS
from streams.ingest.measuring.contraries import wording
from streams.ingest.measuring.names import Names
from streams.ingest.measuring.typography import normalized
from streams.ingest.measuring.vectors import from_text
from streams.ingest.measuring.window import EmbeddingWindow
from streams.log.cursor import Cursor
from streams.log.ports import Clock, Log
from streams.log.venue_view import VenueView

"""How a TextMeasured begins: it need not be decoded to tell."""
_CLOCKS_NS: Final = SERVICE_CLOCK_S * SECOND_NS
"""How far apart the clocks of the writers of times on the log may be."""


class SubjectFold:
    """One subject of the log, folded by `fold` from behind `after` on, without end."""

    def __init__(self, log: Log, subject: str, fold: Callable[[Stored], None]) -> None:
        self._log = log
        self._subject = subject
        self._fold = fold
        self._cursor = Cursor(log, [subject])
        self.position = 0
        """The sequence of the last message that was folded."""

    async def open(self, after: int) -> None:
        """Begin behind `after`."""
        self._cursor = Cursor(self._log, [self._subject], after)
        await self._cursor.open()
        self.position = after

    async def catch_up(self) -> None:
        """Fold all that stands on the log by now. Raises LogUnavailable if it does not come."""
        async for messages in self._cursor.read_to(await self._cursor.end()):
            for message in messages:
                self._fold(message)
                self.position = message.sequence

    async def close(self) -> None:
        """Let go of the log."""
        await self._cursor.close()


class ArticleLogView:
    """Keeps `names` and `window` as the log has them, and knows which articles are measured."""

    def __init__(self, log: Log, clock: Clock, names: Names, window: EmbeddingWindow) -> None:
        self._log = log
        self._clock = clock
        self._names = names
        self._window = window
        self._venue = VenueView()
        self._measured: dict[int, None] = {}
        shard = log.shard
        self._decided = SubjectFold(
            log, subjects.events(shard, subjects.GOVERNANCE), self._fold_record
        )
        self._signals = SubjectFold(log, subjects.signals(shard), self._fold_signals)
        self._articles = SubjectFold(log, subjects.articles(shard), self._fold_article)

    @property
    def names_as_of(self) -> int:
        """The sequence of the last record of governance that is known."""
        return self._decided.position

    def is_measured(self, article: int) -> bool:
        """Tell whether the article's signals are known to be on the log."""
        return article in self._measured

    async def open(self) -> None:
        """Fold names, policy and the window.

        The window reaches back from the last article that was measured: articles that came
        while nobody measured are compared with the articles before them.
        """
        await self._decided.open(0)
        await self._decided.catch_up()
        now_ns = self._clock.now_ns()
        last = await self._last_signals()
        if last is not None:
            now_ns = min(now_ns, _signals(last).observed_ns)
        start_ns = now_ns - self._window.span_ns - _CLOCKS_NS
        start = await behind_which(self._log, start_ns)
        await self._articles.open(start)
        await self._signals.open(start)
        await self._articles.catch_up()
        await self._signals.catch_up()

    async def _last_signals(self) -> Stored | None:
        """Return the last message with an article's signals; a text names the one before it."""
        last = await self._log.last(subjects.signals(self._log.shard))
        if last is None or not is_measured_text(last.payload):
            return last
        try:
            text = OBSERVATIONS.decode(last.payload)
        except InputError as error:
            raise UnknownRecord(f"no text at {last.sequence}") from error
        return await self._log.get(text.signals) if isinstance(text, TextMeasured) else None

    async def catch_up(self) -> None:
        """Fold what has come since."""
        await self._decided.catch_up()
        await self._articles.catch_up()
        await self._signals.catch_up()

    def note(self, article: int) -> None:
        """Remember that the article's signals are on the log."""
        self._measured[article] = None
        if len(self._measured) > MAX_WINDOW_ARTICLES:
            del self._measured[next(iter(self._measured))]

    async def close(self) -> None:
        """Let go of the log."""
        await self._decided.close()
        await self._articles.close()
        await self._signals.close()

    def _fold_record(self, stored: Stored) -> None:
        for symbol in self._venue.fold(stored):
            if self._venue.markets[symbol] in ("closed", "resolved"):
                self._names.drop(symbol)
            else:
                names = self._venue.names_of(symbol)
                self._names.put(symbol, names.name, names.aliases)
        if self._venue.policy is not None:
            self._window.span_ns = self._venue.policy.rules().reality.vector_window_ns

    def _fold_article(self, stored: Stored) -> None:
        """Remember what an article reports; one that cannot be read is compared with nothing."""
        try:
            article = OBSERVATIONS.decode(stored.payload)
        except InputError:
            return
        if isinstance(article, ArticleObserved):
            own = wording(normalized(article.title), normalized(article.excerpt))
            self._window.wordings.add(stored.sequence, own)

    def _fold_signals(self, stored: Stored) -> None:
        if is_measured_text(stored.payload):
            return
        signals = _signals(stored)
        self.note(signals.article)
        if not signals.unfit:
            try:
                vector = from_text(signals.embedding)
            except ValueError as error:
                raise UnknownRecord(f"no embedding at {stored.sequence}") from error
            self._window.add(signals.article, signals.source, signals.observed_ns, vector)


def _signals(stored: Stored) -> SignalsMeasured:
    try:
        signals = OBSERVATIONS.decode(stored.payload)
    except InputError as error:
        raise UnknownRecord(f"{stored.subject} at {stored.sequence}") from error
    if not isinstance(signals, SignalsMeasured):
        raise UnknownRecord(f"no signals on {stored.subject} at {stored.sequence}")
    return signals


class _Timed(msgspec.Struct):
    """When a record or observation was written, whichever it is."""

    time_ns: int | None = None
    measured_ns: int | None = None
    ended_ns: int | None = None
    listed_ns: int | None = None
    observed_ns: int | None = None

    def written_ns(self) -> int | None:
        times = (self.time_ns, self.measured_ns, self.ended_ns, self.listed_ns, self.observed_ns)
        return next((one for one in times if one is not None), None)


_decode_timed = msgspec.json.Decoder(_Timed).decode


async def behind_which(log: Log, time_ns: int) -> int:
    """Return a sequence s: every message written at or after `time_ns` has a sequence > s.

    This is a binary search, with about 27 reads in a hundred million messages. It reads only
    records and observations: their times are ours, those of commands come from strangers.
    """
    older, newer = 0, await log.last_sequence()
    while older < newer:
        middle = (older + newer + 1) // 2
        written_ns = await _written_from(log, middle)
        if written_ns is None or written_ns >= time_ns:
            newer = middle - 1
        else:
            older = middle
    return older


async def _written_from(log: Log, sequence: int) -> int | None:
    """Return when the first record or observation from `sequence` on was written."""
    async with Cursor(log, [f"{log.shard}.*.*"], sequence - 1, batch=1) as cursor:
        for stored in await anext(cursor.follow()):
            try:
                return _decode_timed(stored.payload).written_ns()
            except (msgspec.DecodeError, UnicodeDecodeError):
                return None
        return None
